"""Processes ended, by their names and never by a bare process id."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterable

from linacre.base.clock import Clock
from linacre.base.errors import EngineError
from linacre.base.processes import ProcessId

_POLL_S = 0.01
_FORCED_S = 10.0
"""What a process that was killed may take to be gone on a busy host."""


async def gone(processes: Iterable[ProcessId], *, clock: Clock, timeout_s: float) -> bool:
    """Wait until none of the processes runs; return False when time is up."""
    limit = clock.monotonic() + timeout_s
    left = list(processes)
    while left := [process for process in left if process.is_alive]:
        if clock.monotonic() >= limit:
            return False
        await clock.sleep(_POLL_S)
    return True


async def end(processes: Collection[ProcessId], *, clock: Clock, timeout_s: float) -> None:
    """End processes: SIGTERM, and SIGKILL for those that run on after the time given.

    `EngineError` for one that even SIGKILL does not end.
    """
    for process in _in_order(processes):
        process.kill(signal.SIGTERM)
    if not await gone(processes, clock=clock, timeout_s=timeout_s):
        await end_by_force(processes, clock=clock)


async def end_by_force(
    processes: Collection[ProcessId], *, clock: Clock, timeout_s: float = _FORCED_S
) -> None:
    """End processes by SIGKILL; `EngineError` for one that even this does not end."""
    ordered = _in_order(processes)
    for process in ordered:
        process.kill(signal.SIGKILL)
    if await gone(ordered, clock=clock, timeout_s=timeout_s):
        return
    if left := [str(process.pid) for process in ordered if process.is_alive]:
        raise EngineError(
            f"process {', '.join(left)} does not end even by SIGKILL: it waits for the kernel (a "
            f"device, a network file system); see /proc/{left[0]}/stack as root"
        )


def _in_order(processes: Collection[ProcessId]) -> list[ProcessId]:
    # Parents first, as ids go: none is to see its child end and start another.
    return sorted(processes, key=lambda process: process.pid)
