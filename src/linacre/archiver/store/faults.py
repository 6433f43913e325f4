"""Files that fail as they are told, and tell what was done to them: for tests and drills."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linacre.archiver.store.files import File, OsFiles


@dataclass(frozen=True)
class Deed:
    """Something that was done to a file, and succeeded."""

    what: str
    """`create`, `open`, `append`, `sync`, `truncate`, `sync_folder`, `rename` or `unlink`."""
    path: Path
    size: int
    """The length of the file after it; 0 for a folder."""


@dataclass
class Faults:
    """What shall fail; may be changed at any time."""

    room: int | None = None
    """Bytes that can still be written on this disk; a write that begins within is short."""
    most: int | None = None
    """Bytes that one call writes at most."""
    write_errors: list[int] = field(default_factory=list[int])
    """Numbers of errors for the writes to come, one each; 0: this one succeeds."""
    sync_errors: list[int] = field(default_factory=list[int])
    """The same for calls of `sync`. After one that fails, what was written since the last good
    one reads as zeros, and later calls succeed: as Linux does once the pages are gone."""
    truncate_errors: list[int] = field(default_factory=list[int])


class FaultyFiles:
    """The operating system's files, with faults; `deeds` has what was done, in order."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.deeds: list[Deed] = []
        self.synced: dict[Path, int] = {}
        """By file, how much of it a power cut would leave."""
        self._real = OsFiles()

    def create(self, path: Path) -> File:
        """Make a new file; needs room as a write does."""
        if self.faults.room == 0:
            raise _error(errno.ENOSPC, path)
        return self._file("create", self._real.create(path))

    def open(self, path: Path) -> File:
        """Open a file that is there."""
        return self._file("open", self._real.open(path))

    def sync_folder(self, folder: Path) -> None:
        """Wait until the names in a folder are safe."""
        self.done("sync_folder", folder)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or folder another name."""
        self._real.rename(old, new)
        self.done("rename", new)

    def unlink(self, path: Path) -> None:
        """Remove a file; its room is free again."""
        size = path.stat().st_size if path.exists() else 0
        self._real.unlink(path)
        if self.faults.room is not None:
            self.faults.room += size
        self.synced.pop(path, None)
        self.done("unlink", path)

    def free(self, folder: Path) -> int:
        """Return the room that is left."""
        return self._real.free(folder) if self.faults.room is None else self.faults.room

    def cut_power(self) -> None:
        """Leave of each file what was safe."""
        for path, size in self.synced.items():
            os.truncate(path, size)

    def done(self, what: str, path: Path) -> None:
        """Note a deed."""
        size = path.stat().st_size if path.is_file() else 0
        self.deeds.append(Deed(what, path, size))

    def _file(self, what: str, real: File) -> File:
        self.synced.setdefault(real.path, real.path.stat().st_size if what == "open" else 0)
        self.done(what, real.path)
        return _FaultyFile(self, real)


class _FaultyFile:
    def __init__(self, files: FaultyFiles, real: File) -> None:
        self._files = files
        self._real = real

    @property
    def path(self) -> Path:
        return self._real.path

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        faults = self._files.faults
        _fail(faults.write_errors, self.path)
        data = memoryview(b"".join(parts))
        if faults.room == 0:
            raise _error(errno.ENOSPC, self.path)
        limits = [n for n in (faults.room, faults.most) if n is not None]
        written = self._real.append([data[: min(limits, default=len(data))]])
        if faults.room is not None:
            faults.room -= written
        self._files.done("append", self.path)
        return written

    def sync(self) -> None:
        size = self.path.stat().st_size
        try:
            _fail(self._files.faults.sync_errors, self.path)
        except OSError:
            lost = size - self._files.synced[self.path]
            self._real.truncate(size - lost)
            self._real.append([bytes(lost)])
            raise
        # Not really: a test must not wait for a disk.
        self._files.synced[self.path] = size
        self._files.done("sync", self.path)

    def truncate(self, length: int) -> None:
        _fail(self._files.faults.truncate_errors, self.path)
        gained = self.path.stat().st_size - length
        self._real.truncate(length)
        if self._files.faults.room is not None:
            self._files.faults.room += gained
        self._files.synced[self.path] = min(length, self._files.synced[self.path])
        self._files.done("truncate", self.path)

    def close(self) -> None:
        self._real.close()


def _fail(errors: list[int], path: Path) -> None:
    if errors and (number := errors.pop(0)):
        raise _error(number, path)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
