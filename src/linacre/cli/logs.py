"""Logs of programs in machines, as they are printed."""

from __future__ import annotations

import codecs
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from linacre.base.orders import without_orders

if TYPE_CHECKING:
    from linacre.engines.base import Engine

_LONGEST_LINE = 1 << 16


async def print_log(
    engine: Engine, machine: str, log: PurePosixPath, *, lines: int, follow: bool
) -> int:
    """Print the last lines of a log in a machine, and what comes; return the exit status.

    Whoever runs the program may write into it what they like: a terminal is given its colours
    and no other orders. Where the output is a file or a pipe it has the log's own bytes.
    """
    argv = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(log)]
    shown = {1: LogText(), 2: LogText()}

    def show(descriptor: int, data: bytes) -> None:
        out = sys.stdout if descriptor == 1 else sys.stderr
        out.buffer.write(shown[descriptor].take(data).encode() if out.isatty() else data)
        out.buffer.flush()

    done = await engine.exec(machine, argv, output=show)
    for descriptor, each in shown.items():
        show(descriptor, each.rest())
    return done.status


class LogText:
    """What may be shown of a log, line by line: of an order that is cut in two, neither half is."""

    def __init__(self) -> None:
        # A byte that is no UTF-8 is shown as what it is: some terminals take 0x9b for an order.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._begun = ""

    def take(self, data: bytes) -> str:
        """Return what is now whole."""
        text = self._begun + self._decoder.decode(data)
        *lines, self._begun = text.split("\n")
        if len(self._begun) > _LONGEST_LINE:
            lines, self._begun = [*lines, self._begun], ""
        # A console ends its lines with both.
        shown = (without_orders(line.removesuffix("\r"), colours=True) for line in lines)
        return "".join(f"{line}\n" for line in shown)

    def rest(self) -> bytes:
        """Return the end that what was taken is whole with."""
        return b"\n" if self._begun else b""
