"""Keeps a journal's folder for one process, and remembers the number of its newest file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from linacre.base.errors import LinacreError


class FolderLock:
    """Held from its making to `close`; the system lets it go when the process ends.

    Raises `LinacreError` where another holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        words = os.pread(self._fd, 100, 0).split()
        number, pid = (int(word) if word.isdigit() else 0 for word in (*words, b"", b"")[:2])
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise LinacreError(
                f"{folder} is written by another archiver (process {pid}): one at a time"
            ) from None
        self.number = number
        self._synced = 0

    def remember(self, number: int) -> None:
        """Keep a number for the next holder too; raises `OSError`."""
        os.pwrite(self._fd, f"{number:08d} {os.getpid():10d}\n".encode(), 0)
        self.number = number

    def sync(self) -> None:
        """Make the number safe on the disk; raises `OSError`.

        Files are removed once their samples are in segments, which name them: no name may come
        again, even when no file is left to count on from. Until then the file itself tells.
        """
        if self._synced != self.number:
            os.fsync(self._fd)
            self._synced = self.number

    def close(self) -> None:
        """Let the folder go; again is no error."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
