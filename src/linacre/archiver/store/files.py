"""The few things a store does to files: one place for what can fail, and for tests to make it.

All raise `OSError` as the system does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_fdatasync = getattr(os, "fdatasync", os.fsync)


class File(Protocol):
    """A file that is written at its end only."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Write parts one after the other; return the bytes that were written, maybe not all."""
        ...

    def sync(self) -> None:
        """Wait until all that was written is safe on the disk."""
        ...

    def truncate(self, length: int) -> None:
        """Cut the file."""
        ...

    def close(self) -> None:
        """Give up the handle."""
        ...


class Files(Protocol):
    """A file system."""

    def create(self, path: Path) -> File:
        """Make a new file; one that is there is an error."""
        ...

    def open(self, path: Path) -> File:
        """Open a file that is there, to write on or cut it."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Wait until the names in a folder are safe on the disk."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or folder another name, at once; a file there is replaced."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; none there is no error."""
        ...

    def free(self, folder: Path) -> int:
        """Return the bytes that can still be written."""
        ...


class OsFile:
    """A file of the operating system."""

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._fd = os.open(path, flags | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Write at most 1,024 parts at once, the system's limit."""
        return os.writev(self._fd, parts[:1024])

    def sync(self) -> None:
        """Wait for the data and the length; when it was changed does not matter."""
        _fdatasync(self._fd)

    def truncate(self, length: int) -> None:
        """Cut the file."""
        os.ftruncate(self._fd, length)

    def close(self) -> None:
        """Give up the handle; again is no error."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # What matters was synced, and told by `sync`.
            with contextlib.suppress(OSError):
                os.close(fd)


class OsFiles:
    """The operating system's files."""

    def create(self, path: Path) -> File:
        """Make a new file; raises `FileExistsError`."""
        return OsFile(path, os.O_CREAT | os.O_EXCL)

    def open(self, path: Path) -> File:
        """Open a file that is there."""
        return OsFile(path, 0)

    def sync_folder(self, folder: Path) -> None:
        """Wait until the names in a folder are safe on the disk."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or folder another name."""
        old.replace(new)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def free(self, folder: Path) -> int:
        """Return the bytes that this user can still write."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize
