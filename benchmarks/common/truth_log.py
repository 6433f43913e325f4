"""The log of what an IOC of the truth suite sends: a row for each update, written before it goes.

A log is a file that is mapped into memory, so that it tells all even where its IOC was killed.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROW = np.dtype(
    [
        ("stamp", "<i8"),
        ("burst", "<u4"),
        ("pv", "<u2"),
        ("value", "<u2"),
        ("said", "<u2"),
        ("severity", "u1"),
        ("status", "u1"),
        ("flags", "u1"),
        ("spare", "u1", (3,)),
    ]
)
"""As `struct row` of truth_post.c: the update's stamp in ns; its PV, its place in the values of the
type, what was said of it, by number."""
HEAD = 64
"""Bytes before the rows; the first eight are how many rows there are."""
UNWATCHED = 1
"""A flag: no client was known to be subscribed when it was sent."""

Rows = npt.NDArray[Any]


class LogWriter:
    """A log that is being written, with room for so many rows."""

    def __init__(self, path: Path, room: int) -> None:
        with path.open("w+b") as file:
            file.truncate(HEAD + room * ROW.itemsize)
            self.memory = mmap.mmap(file.fileno(), 0)
        self.room = room


def read_log(path: Path) -> Rows:
    """Return the rows of a log, as they lie in its file."""
    (count,) = np.fromfile(path, "<i8", 1)
    return np.memmap(path, ROW, "r", HEAD, (int(count),)) if count else np.zeros(0, ROW)
