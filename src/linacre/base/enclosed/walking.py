"""Listing what is below a folder, with bounds on all that somebody may make without end."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

from linacre.base.enclosed.names import UnsafeNameError, inner_path, link_target
from linacre.base.enclosed.reading import TooMuchError, enter


class Kind(Enum):
    """What an entry of a folder is."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"
    """A device, a pipe or a socket."""


@dataclass(frozen=True)
class Limits:
    """How much a tree may hold."""

    entries: int
    """Files, links and folders."""
    size_bytes: int


@dataclass(frozen=True)
class Entry:
    """What stands at one path below a folder."""

    path: PurePosixPath
    kind: Kind
    mode: int
    """Its permissions."""
    size_bytes: int = 0
    """Of a plain file."""
    link: str = ""
    """Where a link says that it leads."""


class _Count:
    def __init__(self, top: Path, limits: Limits) -> None:
        self._top, self._limits = top, limits
        self._entries = self._bytes = 0

    def one(self, name: str) -> str:
        """Count an entry as it is listed: before a folder without end fills the memory."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise TooMuchError(f"{self._top} holds more than {self._limits.entries:,} files")
        return name

    def bytes(self, entry: Entry) -> None:
        self._bytes += entry.size_bytes
        if self._bytes > self._limits.size_bytes:
            size = f"{self._limits.size_bytes >> 20} MiB"
            raise TooMuchError(f"{self._top} holds more than {size}")


def walk(top: Path, limits: Limits, *, skip: Collection[str] = ()) -> Iterator[Entry]:
    """Yield what is below a folder in a fixed order: what is in it, then what is in its folders.

    No link is followed below `top`. Folders of the names in `skip` are left out, with all in
    them. Raises `UnsafeNameError` for a name that no file should have, `TooMuchError` beyond the
    limits, `OSError` for what cannot be read.
    """
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    yield from _walk(folder, top, PurePosixPath(), _Count(top, limits), skip)


def _walk(
    folder: int, top: Path, path: PurePosixPath, count: _Count, skip: Collection[str]
) -> Iterator[Entry]:
    """Yield what is in a folder and below it, and close its descriptor."""
    below: list[str] = []
    try:
        with os.scandir(folder) as found:
            names = sorted(count.one(each.name) for each in found)
        for name in names:
            entry = entry_in(folder, name, top, path)
            if entry.kind is Kind.FOLDER:
                if name in skip:
                    continue
                below.append(name)
            count.bytes(entry)
            yield entry
        for name in below:
            inner = enter(folder, name, shown=str(top / path / name))
            yield from _walk(inner, top, path / name, count, skip)
    finally:
        os.close(folder)


def entry_in(folder: int, name: str, top: Path, path: PurePosixPath) -> Entry:
    """Return what stands at a name in a folder, which is `path` below `top`; raises as `walk`."""
    here = path / name
    try:
        inner_path(str(here))
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(about.st_mode):
            link = link_target(os.readlink(name, dir_fd=folder))
            return Entry(here, Kind.LINK, 0o777, link=link)
    except UnsafeNameError as error:
        raise UnsafeNameError(f"{top}: {error}") from None
    except OSError as error:
        error.filename = str(top / here)
        raise
    mode = stat.S_IMODE(about.st_mode)
    if stat.S_ISDIR(about.st_mode):
        return Entry(here, Kind.FOLDER, mode)
    if stat.S_ISREG(about.st_mode):
        return Entry(here, Kind.FILE, mode, about.st_size)
    return Entry(here, Kind.OTHER, mode)
