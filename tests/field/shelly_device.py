"""A Shelly of the second generation in the single-phase profile, as far as records go: paho-mqtt, not our client.

Arguments: port of the broker, version of MQTT (3.1.1 or 5), topic prefix, records a page (0: it never answers).
Standard input, a line each: `record TS WH` puts a minute into its memory, `say TOPIC PAYLOAD` publishes.
Standard output, a line each: `ready`, then `METHOD TS` for every request.
Must never: answer a method that the maker's device would not, or make up a minute.
"""

import json
import sys

import paho.mqtt.client as mqtt

port, version, prefix, page = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
minutes = {}


def say(line):
    print(line, flush=True)


def data(params):
    """One page: blocks without holes, and where the next page begins."""
    wanted = sorted(ts for ts in minutes if params.get("ts", 0) <= ts <= params.get("end_ts", 1 << 40))
    blocks = []
    for ts in wanted[:page]:
        row = [minutes[ts], 0.0, 230.1]
        if blocks and blocks[-1]["ts"] + 60 * len(blocks[-1]["values"]) == ts:
            blocks[-1]["values"].append(row)
        else:
            blocks.append({"ts": ts, "period": 60, "values": [row]})
    result = {"keys": ["total_act_energy", "total_act_ret_energy", "avg_voltage"], "data": blocks}
    if len(wanted) > page:
        result["next_record_ts"] = wanted[page]
    return result


def on_message(client, _userdata, message):
    request = json.loads(message.payload)
    say(f"{request['method']} {request['params'].get('ts')}")
    if page == 0:
        return
    answer = {"id": request["id"], "src": "shellyproem50-test", "dst": request["src"]}
    if request["method"] == "EM1Data.GetData" and request["params"]["id"] == 0:
        answer["result"] = data(request["params"])
    else:
        answer["error"] = {"code": 404, "message": f"No handler for {request['method']}"}
    client.publish(f"{request['src']}/rpc", json.dumps(answer), qos=1)


client = mqtt.Client(client_id="shelly", protocol=mqtt.MQTTv5 if version == "5" else mqtt.MQTTv311)
client.on_message = on_message
client.on_subscribe = lambda *_: say("ready")
client.connect("127.0.0.1", port)
client.subscribe(f"{prefix}/rpc", qos=1)
client.loop_start()
for line in sys.stdin:
    word, first, rest = line.rstrip("\n").split(" ", 2)
    if word == "record":
        minutes[int(first)] = float(rest)
    elif word == "say":
        client.publish(first, rest, qos=1).wait_for_publish()
