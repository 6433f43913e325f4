"""What all segments share: open files, parsed footers, decoded row groups; each bounded."""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from linacre.archiver.errors import DamagedError
from linacre.archiver.store.part import Columns

_V = TypeVar("_V")
_Key = tuple[Path, str, int]
"""A segment's folder, a file of it, and what of the file."""


class Bounded(Generic[_V]):
    """The things that were asked for last, up to a weight; any thread may ask."""

    def __init__(self, limit: int, weigh: Callable[[_V], int] = lambda _: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._things: OrderedDict[_Key, _V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, make: Callable[[], _V]) -> _V:
        """Return the thing of a key; two threads may make it at once."""
        with self._lock:
            if (found := self._things.get(key)) is not None:
                self._things.move_to_end(key)
                return found
        made = make()
        with self._lock:
            if key not in self._things:
                self._things[key] = made
                self._weight += self._weigh(made)
            while self._weight > self._limit and len(self._things) > 1:
                _, old = self._things.popitem(last=False)
                self._weight -= self._weigh(old)
        return made

    def forget(self, folder: Path) -> None:
        """Let go what is of a folder."""
        with self._lock:
            for key in [key for key in self._things if key[0] == folder]:
                self._weight -= self._weigh(self._things.pop(key))


class Handle:
    """A file open for reading, closed when nobody refers to it any more."""

    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        self._fd = -1
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._count = count

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes, fewer at the file's end; raises `DamagedError` where the disk fails."""
        pieces: list[bytes] = []
        while size > 0:
            try:
                piece = os.pread(self._fd, size, offset)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise DamagedError(str(error)) from error
            self._count(len(piece))
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class Cache:
    """Shared by the segments of a store."""

    def __init__(self) -> None:
        self.bytes_read = 0
        """From files of segments, for tests."""
        self._handles: Bounded[Handle] = Bounded(64)
        # A parsed footer takes up to 1 MB: about 1 KB for each column of each row group.
        self.footers: Bounded[Any] = Bounded(32)
        self.columns: Bounded[Columns] = Bounded(16 << 20, _weigh)

    def handle(self, folder: Path, file: str) -> Handle:
        """Return an open file; raises `DamagedError` where only this file of a segment lacks.

        Raises `FileNotFoundError` where the whole segment is gone: it was replaced.
        """
        try:
            return self._handles.get((folder, file, 0), lambda: Handle(folder / file, self._count))
        except FileNotFoundError as error:
            if folder.is_dir():
                raise DamagedError(f"{file} is missing") from error
            raise

    def forget(self, folder: Path) -> None:
        """Let go what is of a segment that is no more."""
        self._handles.forget(folder)
        self.footers.forget(folder)
        self.columns.forget(folder)

    def _count(self, size: int) -> None:
        self.bytes_read += size


def _weigh(columns: Columns) -> int:
    return 15 * len(columns) + columns.value.nbytes
