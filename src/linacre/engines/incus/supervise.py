"""Restarting the program of a machine of this host by its supervisor's own pipe (runsv(8)).

A command inside the machine would do the same, and costs the daemon a process of its own there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath

from linacre.base.clock import Clock
from linacre.base.errors import EngineError
from linacre.base.processes import ProcessId
from linacre.engines.incus.inside import read_inside, write_pipe_inside

FOLDER = PurePosixPath("/run/supervise/ioc")
"""Where runsv has the pipe and the status of a machine's program."""

_TERM, _KILL = b"tcu", b"k"
# A program that does not end for TERM, as procServ where it takes no more input, is killed.
_PATIENCE_S, _LAST_S, _PERIOD_S = 10.0, 5.0, 0.01


@dataclass(frozen=True)
class _Status:
    """What runsv writes of its service: `status`, of 20 bytes."""

    pid: int
    """0 where it does not run."""
    is_finishing: bool


def _status(init: ProcessId, folder: PurePosixPath) -> _Status | None:
    path = folder / "status"
    found = read_inside(init, [path], limit=64)[path]
    if found is None or len(found) != 20:
        return None
    return _Status(int.from_bytes(found[12:16], "little"), found[19] != 1)


async def restart_program(
    machine: str, init: ProcessId, *, clock: Clock, folder: PurePosixPath = FOLDER
) -> None:
    """Restart the IOC of a machine with its procServ, and wait until the new one runs.

    Raises `EngineError` where the machine has none, or it does not come.
    """
    before = _status(init, folder)
    if before is None or not write_pipe_inside(init, folder / "control", _TERM):
        raise EngineError(f"could not restart the program in {machine}: this machine has no IOC")
    for order, limit_s in ((_KILL, _PATIENCE_S), (None, _LAST_S)):
        end = clock.monotonic() + limit_s
        while clock.monotonic() < end:
            now = _status(init, folder)
            if now is not None and now.pid not in (0, before.pid) and not now.is_finishing:
                return
            await asyncio.sleep(_PERIOD_S)
        if order is not None:
            write_pipe_inside(init, folder / "control", order)
    raise EngineError(f"could not restart the program in {machine}: it does not come up again")
