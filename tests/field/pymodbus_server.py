"""A Modbus server by others (pymodbus), holding the register maps it is given.

Usage: pymodbus_server.py WAY MAP.json [MAP.json ...]
WAY is `tcp:PORT`, `rtu-tcp:PORT` (serial frames inside TCP), PORT 0 being any free one, or `serial` (9600 baud, no
parity, on one end of a line of pseudo-terminals). Prints the port, or the device file of the line's other end, on one
line once it listens, and serves until it is killed.

A map is {"unit": 1, "registers": [{"address": 72, "type": "FLOAT32", "words": "big", "value": 12345.6}, ...]}:
the numbers are put into words by pymodbus, not by the program under test. Registers between them read 0. With
"coils" and "discrete_inputs", lists of 0 and 1 from address 0 on, the device has four tables of its own, the numbers in
both tables of registers.
Must never: import anything of the program under test.
"""

import asyncio
import json
import logging
import sys

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

import line


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
    numbers = [SimData(0, values=values, datatype=DataType.REGISTERS)]
    if "coils" not in given:
        return SimDevice(id=given["unit"], simdata=numbers)
    bits = [[SimData(0, values=[bit == 1 for bit in given[table]], datatype=DataType.BITS)]
            for table in ("coils", "discrete_inputs")]
    return SimDevice(id=given["unit"], simdata=(*bits, numbers, numbers))


async def main():
    way, _, port = sys.argv[1].partition(":")
    devices = [device(path) for path in sys.argv[2:]]
    units, at = {device.id for device in devices}, 6 if way == "tcp" else 0
    # Units that are not there say nothing, as on a line; the simulator would let them fail inside.
    common = {"trace_packet": lambda sending, data: b"" if sending and data[at] not in units else data}
    common["identity"] = ModbusDeviceIdentification(info_name={"VendorName": "Pymodbus", "ProductCode": "PM"})
    if way == "serial":
        own, said = line.make()
        server = ModbusSerialServer(devices, port=own, baudrate=9600, **common)
    else:
        framer = {"tcp": FramerType.SOCKET, "rtu-tcp": FramerType.RTU}[way]
        server = ModbusTcpServer(devices, address=("127.0.0.1", int(port)), framer=framer, **common)
    await server.serve_forever(background=True)
    print(said if way == "serial" else server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


# What the simulator says about units that are not there is of no interest.
logging.disable(logging.CRITICAL)
asyncio.run(main())
