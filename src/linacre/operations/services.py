"""One service, archiver or the like at a time: starting, stopping and restarting it."""

from __future__ import annotations

from typing import Any

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.declaration.models import Archiver, DeclaredMachine
from linacre.engines.base import Machine, MachineState, require
from linacre.kinds.kind import AnyKind, ItemT, Kind
from linacre.kinds.registry import ARCHIVER, kinds_of
from linacre.operations.iocs.acting import Verb
from linacre.session.session import Session

_LIMIT_S = 60.0


def declared_archiver(session: Session, name: str) -> Archiver:
    """Return a declared archiver; raise `UserError` with the names there are."""
    return declared_program(session, name, ARCHIVER)


def declared_program(session: Session, name: str, kind: Kind[ItemT, Any]) -> ItemT:
    """Return what is declared under a name; raise `UserError` with the names there are."""
    declared = kind.declared(session.declaration.facility)
    if name not in declared:
        raise _not_there(session, name, kind, list(declared))
    return declared[name]


def _not_there(session: Session, name: str, kind: AnyKind, names: list[str]) -> UserError:
    also = f"; it has: {', '.join(names) or 'none'}"
    for other, section in kinds_of(session).declared:
        if name in other.declared(session.declaration.facility):
            also = f"; it is {section.one}: {other.command('show', name)}"
    return UserError(f"{session.name} has no {kind.noun} {name}{also}")


async def act_on_service(
    session: Session,
    verb: Verb,
    name: str,
    *,
    kind: AnyKind,
    listener: TaskListener | None = None,
) -> bool:
    """Start, stop or restart one service or archiver as a task; return False where it was so.

    Starting and stopping are the machine's; a restart is the command's and its procServ's alone.
    Waits until the service serves. Raises `LinacreError` where it does not run or does not serve.
    """
    program: DeclaredMachine = declared_program(session, name, kind)
    async with session.changing(f"{kind.name} {verb} {name}") as engine:
        machine = await existing_machine(session, name, kind=kind)
        running = machine.state is MachineState.RUNNING
        if verb is Verb.RESTART and not running:
            raise LinacreError(_not_running(name, kind))
        if (verb is Verb.START and running) or (verb is Verb.STOP and not running):
            return False
        key = f"{verb} {name}"
        async with session.task(
            f"{kind.name} {verb}", detail=name, steps=[(key, key)], listener=listener
        ) as task:
            await task.step_started(key)
            change = {
                Verb.START: engine.start,
                Verb.STOP: engine.stop,
                Verb.RESTART: engine.restart_program,
            }
            await change[verb](name)
            if verb is not Verb.STOP:
                await kind.wait_until_serving(
                    engine,
                    name,
                    program.address,
                    clock=session.clock,
                    limit_s=_LIMIT_S,
                    ports=kind.ports(program),
                )
            await task.step_done(key)
    return True


async def existing_machine(session: Session, name: str, *, kind: AnyKind) -> Machine:
    """Return the machine of a declared service or archiver; the engine is open."""
    declared_program(session, name, kind)
    if kind.needs is not None:
        instead = f"{name} is optional and left out here; the incus engine runs it"
        require(session.engine, kind.needs, instead=instead)
    machine = (await session.machines((name,))).get(name)
    if machine is None:
        raise LinacreError(f"{name} has no machine yet: run linacre up")
    return machine


async def running_machine(session: Session, name: str, *, kind: AnyKind) -> Machine:
    """Return the machine of a declared service or archiver that runs, else `LinacreError`."""
    machine = await existing_machine(session, name, kind=kind)
    if machine.state is not MachineState.RUNNING:
        raise LinacreError(_not_running(name, kind))
    return machine


async def running_archiver(session: Session, name: str) -> Machine:
    """Return the machine of a declared archiver that runs, else `LinacreError`."""
    return await running_machine(session, name, kind=ARCHIVER)


def _not_running(name: str, kind: AnyKind) -> str:
    return f"{name} does not run: start it with {kind.command('start', name)}"
