"""Thirty meters on a serial line (a pseudo-terminal), with what goes wrong on such lines.

Usage: thirty_meters.py LOG
Prints the line's device file. Meters 1 to 30 answer function 4 as floats of two registers; register 72 holds
100000 x unit + the number of the request it answers. Meter 7 is dead, meter 8 takes 700 ms, meter 9 gives ten registers
at once. From the sixth to the eighth second all of them are off, which begins in the middle of a frame. LOG gets one line
for every answer: unit, number of the request, milliseconds from request to answer.
Must never: import anything of the program under test.
"""

import heapq
import os
import pty
import select
import struct
import sys
import time
import tty

DEAD, LATE, NARROW = 7, 8, 9
OFF = (6.0, 8.0)


def check_sum(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def words(unit, number, first, count):
    def half(address):
        value = 100000.0 * unit + number if address & ~1 == 72 else 50.0
        return struct.pack(">f", value)[2 * (address & 1):][:2]

    return b"".join(half(address) for address in range(first, first + count))


def main():
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    log = open(sys.argv[1], "w", encoding="utf-8", buffering=1)
    begun, numbers, due, buffer, cut = None, {}, [], b"", False
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        if select.select([master], [], [], wait)[0]:
            buffer += os.read(master, 512)
            begun = begun or time.monotonic()
        now = time.monotonic()
        off = begun is not None and OFF[0] <= now - begun < OFF[1]
        while len(buffer) >= 8:
            request, buffer = buffer[:8], buffer[8:]
            unit, function, first, count = struct.unpack(">BBHH", request[:6])
            if check_sum(request[:6]) != request[6:] or not 1 <= unit <= 30:
                # Out of step: begin anew with the next request.
                buffer = b""
                break
            numbers[unit] = numbers.get(unit, 0) + 1
            if unit == DEAD or off:
                continue
            if function != 4:
                answer = bytes([unit, function | 0x80, 1])
            elif unit == NARROW and count > 10:
                answer = bytes([unit, function | 0x80, 3])
            else:
                answer = bytes([unit, 4, 2 * count]) + words(unit, numbers[unit], first, count)
            at = now + (0.7 if unit == LATE else 0.005)
            heapq.heappush(due, (at, unit, numbers[unit], now, answer + check_sum(answer)))
        while due and due[0][0] <= now:
            _, unit, number, asked, frame = heapq.heappop(due)
            if off:
                if not cut:
                    os.write(master, frame[:4])
                    cut = True
                continue
            log.write(f"{unit} {number} {int((now - asked) * 1000)}\n")
            os.write(master, frame)


main()
