"""A Sparkplug edge node that lives already when we come: paho-mqtt and pysparkplug, which share no code with ours.

Arguments: port of the broker, version of MQTT (3.1.1 or 5). The node is `edge` of group `plant`, with the device `main`.
Standard input, a line each: `data KWH` publishes a total by its alias.
Standard output, a line each: `ready`, then `NAME VALUE QOS SEQ` for every metric of every command.
Must never: give birth without being asked, or import anything of this repository.
"""

import sys
import time

import paho.mqtt.client as mqtt
import pysparkplug as spb

port, version = int(sys.argv[1]), sys.argv[2]
seq = 41  # it has been alive for some time
total = 0
last_ms = 0
energy = "active_energy_import_kwh"


def say(line):
    print(line, flush=True)


def now():
    """The clock in ms, never the same twice: two totals of one instant would contradict each other."""
    global last_ms
    last_ms = max(int(time.time() * 1000), last_ms + 1)
    return last_ms


def metric(name, value, alias, datatype=spb.DataType.INT64):
    return spb.Metric(timestamp=now(), name=name, datatype=datatype, value=value, alias=alias)


def publish(kind, payload, device=""):
    client.publish(f"spBv1.0/plant/{kind}/edge{device}", payload.encode(), qos=1)


def following():
    global seq
    seq = (seq + 1) % 256
    return seq


def on_message(_client, _userdata, message):
    global seq
    command = spb.Message.from_mqtt_message(message).payload
    for one in command.metrics:
        if one.name == "Node Control/Rebirth" and one.value is True:
            seq = 0
            death = metric("bdSeq", 0, None)
            publish("NBIRTH", spb.NBirth(timestamp=now(), seq=0, metrics=(death,)))
            births = (metric(energy, total, 7),)
            publish("DBIRTH", spb.DBirth(timestamp=now(), seq=following(), metrics=births), "/main")
        # After what it led to: who reads this may send the next total, and births come before it.
        say(f"{one.name} {one.value} {message.qos} {getattr(command, 'seq', None)}")


client = mqtt.Client(client_id="edge", protocol=mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311)
client.on_message = on_message
client.on_subscribe = lambda *_: say("ready")
client.connect("127.0.0.1", port)
client.subscribe("spBv1.0/plant/NCMD/edge", qos=1)
client.loop_start()
for line in sys.stdin:
    word, value = line.split()
    if word == "data":
        total = int(value)
        data = spb.DData(timestamp=now(), seq=following(), metrics=(metric(None, total, 7),))
        publish("DDATA", data, "/main")
