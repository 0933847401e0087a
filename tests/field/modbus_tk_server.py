"""A second Modbus server by others (modbus-tk), holding the register maps it is given.

Usage: modbus_tk_server.py WAY MAP.json [MAP.json ...]
WAY is `tcp:PORT` or `serial` (19200 baud, no parity); what it prints, and what a map is, stands in
pymodbus_server.py. Here the numbers are put into words by Python's struct.
Must never: import anything of the program under test.
"""

import json
import socket
import struct
import sys
import threading

import serial
from modbus_tk import defines, modbus_rtu, modbus_tcp

import line

FORMATS = {"FLOAT32": ">f", "INT32": ">i", "INT16": ">h"}


def serve(server, path):
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    slave = server.add_slave(given["unit"])
    for name, kind in [("input", defines.ANALOG_INPUTS), ("holding", defines.HOLDING_REGISTERS)]:
        slave.add_block(name, kind, 0, max(r["address"] for r in given["registers"]) + 2)
        for register in given["registers"]:
            data = struct.pack(FORMATS[register["type"]], register["value"])
            words = [word for (word,) in struct.iter_unpack(">H", data)]
            slave.set_values(name, register["address"], words if register["words"] == "big" else words[::-1])


def main():
    way, _, port = sys.argv[1].partition(":")
    if way == "serial":
        own, said = line.make()
        server = modbus_rtu.RtuServer(serial.Serial(own, 19200), error_on_missing_slave=False)
    else:
        port = int(port)
        if port == 0:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        said = port
        server = modbus_tcp.TcpServer(address="127.0.0.1", port=port)
    for path in sys.argv[2:]:
        serve(server, path)
    server.start()
    if way == "tcp":
        # Its thread opens the socket by itself: it listens when a connection is taken.
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                pass
    print(said, flush=True)
    threading.Event().wait()


main()
