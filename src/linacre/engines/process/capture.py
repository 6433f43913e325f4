"""What a command prints, passed on as it comes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_CHUNK = 1 << 16
_LARGEST_PIPE = 1 << 20
"""Bytes that a pipe can hold for a user (/proc/sys/fs/pipe-max-size)."""


class Capture:
    """A pipe whose far end a command gets, and whose near end is read without being awaited.

    The end of the command, not that of the pipe, ends it: a program that the command leaves
    behind (Channel Access clients start a repeater) may hold the far end open for ever.
    """

    def __init__(self, tell: Callable[[bytes], None], failed: asyncio.Future[None]) -> None:
        self._tell = tell
        self._failed = failed
        self._near, self.far = os.pipe()
        os.set_blocking(self._near, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._near, self._read)

    def _read(self) -> bool:
        """Pass on what is there; return False when that is nothing."""
        try:
            data = os.read(self._near, _CHUNK)
            if data:
                self._tell(data)
                return True
            self._loop.remove_reader(self._near)
        except BlockingIOError:
            pass
        except Exception as error:
            self._loop.remove_reader(self._near)
            if not self._failed.done():
                self._failed.set_exception(error)
        return False

    def drain(self) -> None:
        """Pass on the last bytes of a command that has ended."""
        for _ in range(_LARGEST_PIPE // _CHUNK):
            if not self._read():
                return

    def close(self) -> None:
        """Let go of the pipe."""
        self._loop.remove_reader(self._near)
        os.close(self._near)
