"""Files of a machine through the daemon, and what its helper for them leaves in the way.

The daemon gives files through a helper process for each instance, at a socket in the instance's
run folder. A helper that ends makes the daemon remove its socket by a path of a descriptor's
number (`/proc/self/fd/N`), which by then may stand for another instance's folder: that one's
helper is then there and cannot be reached. Each further request waits until that helper has been
idle for long enough to end, and loses its own socket to the same end, and so on without an end
(Incus 6.0.4, `FileSFTPConn`). So the helper that nobody reaches is ended before the next try.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from linacre.base.processes import ProcessId
from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.daemon import SYSTEM_SOCKET

_T = TypeVar("_T")

_TRIES = 10
_PERIOD_S = 0.05
# A helper ends by itself once nobody was connected for 15 s.
_IDLE_S = 16.0
_TAKEN_BACK_S = 2.0
_SYSTEM_RUN = Path("/run/incus")
_HEADERS = {
    "X-Incus-uid": "0",
    "X-Incus-gid": "0",
    "X-Incus-mode": "0600",
    "X-Incus-type": "file",
    "X-Incus-write": "overwrite",
    "Content-Type": "application/octet-stream",
}


class Files:
    """The files of the machines of one project, running or not."""

    def __init__(self, client: IncusClient, *, project: str) -> None:
        self._client = client
        self._project = project

    async def write(self, machine: str, path: PurePosixPath, data: bytes) -> None:
        """Write a file that root alone can read; raise `IncusError` with the daemon's words."""
        where, query = _path(machine), {"path": str(path)}

        async def post() -> None:
            await self._client.request("POST", where, query=query, data=data, headers=_HEADERS)

        await self._patiently(machine, post)

    async def read(self, machine: str, path: PurePosixPath) -> bytes | None:
        """Return what is in a file, or None where there is no such file."""
        where, query = _path(machine), {"path": str(path)}
        return await self._patiently(machine, lambda: self._client.fetch(where, query=query))

    async def _patiently(self, machine: str, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do work that needs the helper, again where that cannot be reached."""
        for _ in range(_TRIES - 1):
            try:
                return await work()
            except IncusError as error:
                if "forkfile.sock" not in str(error):
                    raise
            await self._end_helper(machine)
        return await work()

    async def _end_helper(self, machine: str) -> None:
        """End the helper of a machine, or wait until it has ended by itself."""
        directory = self._client.directory
        if directory is None:
            return await asyncio.sleep(_IDLE_S)
        run = _SYSTEM_RUN if directory == SYSTEM_SOCKET.parent else directory / "run"
        note = run / f"{self._project}_{machine}" / "forkfile.pid"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_S):
                while (helper := _noted(note)) is not None:
                    # Gracefully: it ends first what it does for others.
                    helper.kill(signal.SIGINT)
                    await asyncio.sleep(_PERIOD_S)
            async with asyncio.timeout(_TAKEN_BACK_S):
                # Last, the daemon removes the socket and then its note of the helper.
                while note.exists():
                    await asyncio.sleep(_PERIOD_S)
        await asyncio.sleep(_PERIOD_S)


def _path(machine: str) -> str:
    return f"/1.0/instances/{machine}/files"


def _noted(note: Path) -> ProcessId | None:
    """Return the helper whose process id the daemon wrote down, None where none lives."""
    try:
        found = ProcessId.of(int(note.read_text()))
        line = Path(f"/proc/{found.pid}/cmdline").read_bytes() if found else b""
    except (OSError, ValueError):
        return None
    return found if b"forkfile" in line.split(b"\0") else None
