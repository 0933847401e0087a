"""A serial line without hardware: two pseudo-terminals, joined.

Must never: change a byte on the way.
"""

import os
import pty
import select
import threading
import tty


def make():
    """The device files of both ends. The line lives as long as the process."""
    ends = [pty.openpty(), pty.openpty()]
    for _, end in ends:
        tty.setraw(end)
    (one, one_end), (other, other_end) = ends

    def carry():
        # Both ends are held open here, so that a master that closes and opens its end finds the line still there.
        while True:
            for ready in select.select([one, other], [], [])[0]:
                os.write(other if ready == one else one, os.read(ready, 512))

    threading.Thread(target=carry, daemon=True).start()
    return os.ttyname(one_end), os.ttyname(other_end)
