"""A Modbus TCP server by others (pymodbus), holding the register maps it is given.

Usage: pymodbus_server.py PORT MAP.json [MAP.json ...]   (PORT 0: any free one)
Prints the port on one line once it listens, and serves until it is killed.

A map is {"unit": 1, "registers": [{"address": 72, "type": "FLOAT32", "words": "big", "value": 12345.6}, ...]}:
the numbers are put into words by pymodbus, not by the program under test. Registers between them read 0.
Must never: import anything of the program under test.
"""

import asyncio
import json
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def device(path):
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    words = {}
    for register in given["registers"]:
        kind = ModbusTcpClient.DATATYPE[register["type"]]
        encoded = ModbusTcpClient.convert_to_registers(register["value"], kind, word_order=register["words"])
        for offset, word in enumerate(encoded):
            words[register["address"] + offset] = word
    values = [words.get(address, 0) for address in range(max(words) + 1)]
    return SimDevice(id=given["unit"], simdata=[SimData(0, values=values, datatype=DataType.REGISTERS)])


async def main():
    devices = [device(path) for path in sys.argv[2:]]
    server = ModbusTcpServer(devices, address=("127.0.0.1", int(sys.argv[1])))
    await server.serve_forever(background=True)
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
