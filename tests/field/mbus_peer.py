"""M-Bus by others (pyMeterBus): an oracle for telegrams, and a meter on a serial line that understands requests with it.

Usage: mbus_peer.py decode            reads frames in hexadecimal, one a line, and writes for each a line of JSON:
                                      [[type, unit, function, storage number, value], ...]
       mbus_peer.py meter HEX NUMBER  opens a pseudo-terminal, prints its path, and is the meter NUMBER (eight digits, also
                                      at primary address 5) with the telegram HEX, until it is killed

Must never: import anything of the program under test.
"""

import json
import os
import pty
import sys
import tty

import meterbus


def decode():
    for line in sys.stdin:
        body = meterbus.load(bytes.fromhex(line)).body.bodyPayload
        rows = []
        for record in body.records:
            told = record.interpreted
            rows.append([told["type"], told["unit"], told["function"], told["storage_number"], str(told["value"])])
        print(json.dumps(rows), flush=True)


def whole(pending):
    """How many bytes the first request takes, None while it is not all there."""
    length = 5 if pending[0] == 0x10 else pending[1] + 6 if len(pending) > 3 else None
    return length if length is not None and length <= len(pending) else None


def meter(telegram, number):
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    print(os.ttyname(theirs), flush=True)
    pending, selected = b"", False
    while True:
        pending += os.read(ours, 256)
        while pending and (length := whole(pending)):
            request, pending = pending[:length], pending[length:]
            # Raises on a wrong checksum, length or stop.
            frame = meterbus.load(request)
            control, address = request[1:3] if request[0] == 0x10 else request[4:6]
            if isinstance(frame, meterbus.TelegramLong):
                assert (control, address, request[6]) == (0x53, 0xFD, 0x52), request.hex()
                wanted = request[7:11][::-1].hex()
                selected = all(want in ("f", have) for want, have in zip(wanted, number))
                if selected:
                    os.write(ours, b"\xe5")
                continue
            assert isinstance(frame, meterbus.TelegramShort), request.hex()
            called = address == 5 or (address == 0xFD and selected)
            if control == 0x40:
                selected = False
                if called:
                    os.write(ours, b"\xe5")
            else:
                assert control in (0x5B, 0x7B), request.hex()
                if called:
                    os.write(ours, telegram)


if sys.argv[1] == "decode":
    decode()
else:
    meter(bytes.fromhex(sys.argv[2]), sys.argv[3])
