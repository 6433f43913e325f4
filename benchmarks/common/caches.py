"""Making the kernel forget files, so that the next read comes from the disk."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

from common.conditions import memory, say

_DROP = Path("/proc/sys/vm/drop_caches")
_STEADY_BYTES = 1 << 20
_STEADY_LOOKS = 3
_SETTLE_LIMIT_S = 30


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


def settle() -> None:
    """Drop what the kernel may drop and wait until memory is steady, at most half a minute."""
    steady, last = 0, 0
    end = time.monotonic() + _SETTLE_LIMIT_S
    while steady < _STEADY_LOOKS and time.monotonic() < end:
        os.sync()
        _DROP.write_text("3")
        time.sleep(1)
        now = memory()["MemAvailable"]
        steady = steady + 1 if abs(now - last) < _STEADY_BYTES else 0
        last = now
    if steady < _STEADY_LOOKS:
        say("memory was not steady: something else is at work on this host")


def size(folder: Path, pattern: str = "*") -> int:
    """Return the bytes of all files below a folder whose names match."""
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
