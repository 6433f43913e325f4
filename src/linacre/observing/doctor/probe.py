"""Looking at a folder that may hang: in a child that is never waited for."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_PERIOD_S = 0.01
_LOOK = """\
import os, sys
path = sys.argv[1]
try:
    room = os.statvfs(path)
    os.stat(path)
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            next(entries, None)
    print(0, room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize,
          room.f_favail, room.f_files)
except OSError as error:
    print(error.errno)
"""


@dataclass(frozen=True)
class Probed:
    """What a look at a folder gave."""

    hangs: bool = False
    """No answer came within the limit."""
    error: int | None = None
    """The number of the error, as `errno` names them; None where there was none."""
    free_bytes: int = 0
    total_bytes: int = 0
    free_inodes: int = 0
    total_inodes: int = 0
    """0 where the file system has no fixed number of them."""

    @property
    def is_stale(self) -> bool:
        """Whether its server is gone, or knows it no more."""
        return self.error in (errno.ESTALE, errno.ENOTCONN)


async def probe(path: Path, *, limit_s: float) -> Probed:
    """Ask a file system for its room, and read its folder at `path`, within a time.

    A process that waits for a file system that hangs cannot even be killed: it is left behind,
    and is gone when the file system answers or is taken away.
    """
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LOOK, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    assert child.stdout is not None
    with child.stdout as told:
        end = time.monotonic() + limit_s
        late = True
        try:
            while (late := child.poll() is None) and time.monotonic() < end:
                await asyncio.sleep(_PERIOD_S)
        finally:
            if late:
                _leave(child)
        if late:
            return Probed(hangs=True)
        words = [int(word) for word in told.read().split()]
    if not words:
        return Probed(error=errno.EIO)
    return Probed(False, words[0] or None, *words[1:])


def _leave(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, 9)
    # Not ours to wait for: a thread that ends with this process reaps it, if ever it ends.
    threading.Thread(target=child.wait, daemon=True).start()
