"""Reading the files of an IOC on a server: whoever wrote them may want those of the host."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError, head_of_named, open_named, read_named

_LARGEST_TEXT, _SMALL_TEXT = 16 << 20, 1 << 20
_LARGEST_PROGRAM = 1 << 30


def text_of(path: Path, *, given: Path) -> str:
    """Return the text of a file that is in the folder `given`, or that its files lead to.

    Raises `UnsafeNameError` where it is not theirs, no plain file or very large, and `OSError`
    where it cannot be read.
    """
    return read_named(path, top=given, limit=_LARGEST_TEXT).decode(errors="replace")


def text_or_none(path: Path, *, given: Path) -> str | None:
    """Return the text of a small file; None where there is none, or it may not be read."""
    try:
        return read_named(path, top=given, limit=_SMALL_TEXT).decode(errors="replace")
    except (OSError, UnsafeNameError):
        return None


def head_of(path: Path, size: int, *, given: Path) -> bytes:
    """Return the first bytes of a file; raises as `text_of` does."""
    return head_of_named(path, top=given, limit=size)


@contextmanager
def mapped(path: Path, *, given: Path) -> Generator[mmap]:
    """Hold a program or library in memory; raises as `text_of` does, `ValueError` for none."""
    file = open_named(path, top=given)
    try:
        if os.fstat(file).st_size > _LARGEST_PROGRAM:
            raise ValueError(f"{path} is too large for a program")
        with mmap(file, 0, access=ACCESS_READ) as content:
            yield content
    finally:
        os.close(file)
