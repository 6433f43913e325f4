"""An IOC whose record changes many thousand times a second."""

from __future__ import annotations

import contextlib
import socket
import time

from ca_support import LIMIT_S, Ioc

BURST = 3000
DATABASE = """\
record(longout, "N") { field(PINI, "YES") field(FLNK, "M") }
record(longin, "M") { field(INP, "N") }
record(longin, "CALM") { field(VAL, "7") field(PINI, "YES") }
"""


def burst(ioc: Ioc, begin: int, count: int = BURST) -> int:
    """Let the record N change, by one at a time; return its last value."""
    last = begin + count - 1
    script = ioc.log.with_name(f"burst{begin}.cmd")
    script.write_text("".join(f"dbpf N {k}\n" for k in range(begin, last + 1)))
    ioc.type(f"< {script}")
    return last


def until_served(ioc: Ioc, port: int) -> None:
    """Wait for a server of an IOC: who asks too soon asks again after seconds only."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((ioc.address, port), 1.0):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {ioc.address}:{port}")
