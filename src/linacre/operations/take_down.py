"""Taking a facility down: its machines stopped and kept, or removed for good."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import FacilityPaths
from linacre.base.tasks import TaskListener
from linacre.declaration.order import dependency_order
from linacre.engines.base import Machine, MachineState
from linacre.kinds.registry import kinds_of
from linacre.operations.apply import Journal, StepsFailedError
from linacre.session.lock import FacilityLock
from linacre.session.sandboxes import folders_of
from linacre.session.session import FacilityHandle, Session
from linacre.session.state import Standing, note_file

_AT_ONCE = 16


async def take_down(session: Session, *, listener: TaskListener | None) -> int:
    """Stop the facility's machines, those that others wait for last; return how many ran.

    Data, machines and networks are kept; an embedded daemon is stopped too.
    """
    async with FacilityLock(session.paths, command="down", clock=session.clock):
        if not await session.engine.exists():
            return 0
        async with session.engine_open() as engine:
            machines = await session.machines()
            running = [m for m in machines.values() if m.state is not MachineState.STOPPED]
            batches = _batches(session, running)
            steps = [(f"stop {m.name}", f"stop {m.name}") for b in batches for m in b]
            async with session.task("down", steps=steps, listener=listener) as task:
                await _stop(batches, task, engine.stop)
            session.take_note(Standing.DOWN)
            await engine.shut_down()
    return len(running)


def _batches(session: Session, running: list[Machine]) -> list[list[Machine]]:
    """Return machines in the order in which they stop: the reverse of starting, desks last."""
    by_name = {machine.name: machine for machine in running}
    order = [
        [by_name.pop(name) for name in batch if name in by_name]
        for batch in reversed(dependency_order(session.declaration.facility))
    ]
    kinds = kinds_of(session)
    desks = [m for m in by_name.values() if kinds.of(m).is_of_network]
    others = [m for m in by_name.values() if not kinds.of(m).is_of_network]
    return [batch for batch in [others, *order, desks] if batch]


async def _stop(
    batches: list[list[Machine]], task: Journal, stop: Callable[[str], Awaitable[None]]
) -> None:
    at_once = asyncio.Semaphore(_AT_ONCE)
    failures: list[str] = []

    async def one(name: str) -> None:
        async with at_once:
            await task.step_started(f"stop {name}")
            try:
                await stop(name)
            except LinacreError as error:
                failures.append(f"{name}: {error}")
                await task.step_failed(f"stop {name}", str(error))
            else:
                await task.step_done(f"stop {name}")

    for batch in batches:
        await asyncio.gather(*(one(machine.name) for machine in batch))
    if failures:
        raise StepsFailedError(f"not stopped: {'; '.join(failures)}")


def what_is_lost(session: Session) -> list[str]:
    """Return, line by line, what a purge removes for good."""
    facility = session.declaration.facility
    lost = [kind.what_is_lost(facility) for kind in kinds_of(session)]
    return [
        *(line for line in lost if line is not None),
        "the networks and desks, and the data of deleted archivers",
        f"the catalogue with its history, and everything else in {session.paths.root}"
        if isinstance(session.catalogue_place, Path)
        else f"{session.paths.root}, with the files of earlier states; what the database of its "
        "catalogue holds stays there",
    ]


async def purge(session: FacilityHandle) -> bool:
    """Remove all that there is of the facility here; return whether there was anything.

    Raises `UserError` where it has sandboxes, which would be nobody's.
    """
    if there := folders_of(session.state, session.name):
        raise UserError(
            f"{session.name} has sandboxes ({', '.join(there)}), which know where it was: "
            f"linacre sandbox delete {' '.join(there)} first"
        )
    if not session.paths.root.exists() and not await session.engine.exists():
        return False
    async with FacilityLock(session.paths, command="down --purge", clock=session.clock) as lock:
        if await session.engine.exists():
            await session.engine.purge()
        await asyncio.to_thread(_remove_folder, session.paths)
        lock.discard()
    # Another command may have made it anew as soon as the lock was free.
    with contextlib.suppress(OSError):
        session.paths.root.rmdir()
    return True


def _remove_folder(paths: FacilityPaths) -> None:
    # The way back to it goes last: what is cut short is found and finished by it.
    for entry in sorted(paths.root.iterdir(), key=lambda each: each == note_file(paths)):
        if entry == paths.lock:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
