"""Making the kernel forget files, so that the next read comes from the disk."""

from __future__ import annotations

import gc
import os
from pathlib import Path

_DROP = Path("/proc/sys/vm/drop_caches")


def how() -> str:
    """Say what `drop` does here."""
    if os.access(_DROP, os.W_OK):
        return "sync; 3 > /proc/sys/vm/drop_caches"
    return "fsync and POSIX_FADV_DONTNEED of each file; names of files stay in memory"


def drop(folder: Path) -> None:
    """Forget all files of a folder; where root does it, all files of the host.

    What a program has mapped stays: give up readers first.
    """
    gc.collect()
    if os.access(_DROP, os.W_OK):
        os.sync()
        _DROP.write_text("3")
        return
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def size(folder: Path, pattern: str = "*") -> int:
    """Return the bytes of all files below a folder whose names match."""
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
