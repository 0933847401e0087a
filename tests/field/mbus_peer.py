"""M-Bus by others (pyMeterBus): an oracle for telegrams, and a meter on a serial line that understands requests with it.

Usage: mbus_peer.py decode            reads frames in hexadecimal, one a line, and writes for each a line of JSON:
                                      [[type, unit, function, storage number, value], ...]
       mbus_peer.py meter HEX ADDRESS opens a pseudo-terminal, prints its path, and is a meter with the telegram HEX that
                                      pyMeterBus would select by ADDRESS (sixteen hexadecimal digits), until it is killed

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
        # Not `load`: it takes a long frame of 0x44 bytes for a wireless one.
        body = meterbus.TelegramLong.parse(bytes.fromhex(line)).body.bodyPayload
        rows = []
        for record in body.records:
            told = record.interpreted
            rows.append([told["type"], told["unit"], told["function"], told["storage_number"], str(told["value"])])
        print(json.dumps(rows), flush=True)


def whole(pending):
    """How many bytes the first request takes, None while it is not all there."""
    length = 5 if pending[0] == 0x10 else pending[1] + 6 if len(pending) > 3 else None
    return length if length is not None and length <= len(pending) else None


class Sink:
    """Keeps what pyMeterBus's own master would send."""

    def __init__(self):
        self.sent = b""

    def write(self, sent):
        self.sent += bytes(sent)


def meter(telegram, address):
    sink = Sink()
    meterbus.send_select_frame(sink, address)
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    print(os.ttyname(theirs), flush=True)
    pending, selected = b"", False
    while True:
        pending += os.read(ours, 256)
        while pending and (length := whole(pending)):
            request, pending = pending[:length], pending[length:]
            if request[0] == 0x68:
                assert request == sink.sent, f"{request.hex()} is not the selection {sink.sent.hex()}"
                selected = True
                os.write(ours, b"\xe5")
                continue
            # Raises on a wrong checksum, length or stop.
            frame = meterbus.load(request)
            assert isinstance(frame, meterbus.TelegramShort), request.hex()
            control, called = request[1], request[2] == 0xFD and selected
            assert control in (0x40, 0x5B, 0x7B), request.hex()
            if called:
                os.write(ours, b"\xe5" if control == 0x40 else telegram)
            selected = selected and control != 0x40


if sys.argv[1] == "decode":
    decode()
else:
    meter(bytes.fromhex(sys.argv[2]), sys.argv[3])
