"""One service or archiver at a time: starting, stopping and restarting it."""

from __future__ import annotations

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.declaration.models import Archiver, Service
from linacre.engines.base import Capability, Machine, MachineKind, MachineState, require
from linacre.kinds.reports import wait_until_booted
from linacre.operations.iocs import Verb
from linacre.session.session import Session

_LIMIT_S = 60.0


def declared_service(session: Session, name: str) -> Service:
    """Return a declared service; raise `UserError` with the names there are."""
    services = session.declaration.facility.services
    if name not in services:
        raise _not_there(session, name, MachineKind.SERVICE, list(services))
    return services[name]


def declared_archiver(session: Session, name: str) -> Archiver:
    """Return a declared archiver; raise `UserError` with the names there are."""
    archivers = session.declaration.facility.archivers
    if name not in archivers:
        raise _not_there(session, name, MachineKind.ARCHIVER, list(archivers))
    return archivers[name]


def declared_program(session: Session, name: str, kind: MachineKind) -> Service | Archiver:
    """Return a declared service or archiver."""
    if kind is MachineKind.ARCHIVER:
        return declared_archiver(session, name)
    return declared_service(session, name)


def _not_there(session: Session, name: str, kind: MachineKind, names: list[str]) -> UserError:
    facility = session.declaration.facility
    others = {
        "an IOC: linacre ioc": facility.iocs,
        "a service: linacre service": facility.services,
        "an archiver: linacre archiver": facility.archivers,
    }
    there = ", ".join(names) or "none"
    also = f"; it has: {there}"
    for what, declared in others.items():
        if name in declared:
            also = f"; it is {what} show {name}"
    return UserError(f"{session.name} has no {kind} {name}{also}")


async def act_on_service(
    session: Session,
    verb: Verb,
    name: str,
    *,
    kind: MachineKind = MachineKind.SERVICE,
    listener: TaskListener | None = None,
) -> bool:
    """Start, stop or restart one service or archiver as a task; return False where it was so.

    Starting and stopping are the machine's; a restart is the command's and its procServ's alone.
    Waits until the service serves. Raises `LinacreError` where it does not run or does not serve.
    """
    program = declared_program(session, name, kind)
    async with session.changing(f"{kind} {verb} {name}") as engine:
        machine = await existing_machine(session, name, kind=kind)
        running = machine.state is MachineState.RUNNING
        if verb is Verb.RESTART and not running:
            raise LinacreError(_not_running(name, kind))
        if (verb is Verb.START and running) or (verb is Verb.STOP and not running):
            return False
        key = f"{verb} {name}"
        async with session.task(
            f"{kind} {verb}", detail=name, steps=[(key, key)], listener=listener
        ) as task:
            await task.step_started(key)
            change = {
                Verb.START: engine.start,
                Verb.STOP: engine.stop,
                Verb.RESTART: engine.restart_program,
            }
            await change[verb](name)
            if verb is not Verb.STOP:
                await wait_until_booted(
                    engine,
                    name,
                    program.address,
                    clock=session.clock,
                    limit_s=_LIMIT_S,
                    ports=program.ports,
                    kind=kind,
                )
            await task.step_done(key)
    return True


async def existing_machine(
    session: Session, name: str, *, kind: MachineKind = MachineKind.SERVICE
) -> Machine:
    """Return the machine of a declared service or archiver; the engine is open."""
    declared_program(session, name, kind)
    if kind is MachineKind.SERVICE:
        instead = f"{name} is optional and left out here; the incus engine runs it"
        require(session.engine, Capability.SERVICES, instead=instead)
    machine = (await session.machines()).get(name)
    if machine is None:
        raise LinacreError(f"{name} has no machine yet: run linacre up")
    return machine


async def running_machine(
    session: Session, name: str, *, kind: MachineKind = MachineKind.SERVICE
) -> Machine:
    """Return the machine of a declared service or archiver that runs, else `LinacreError`."""
    machine = await existing_machine(session, name, kind=kind)
    if machine.state is not MachineState.RUNNING:
        raise LinacreError(_not_running(name, kind))
    return machine


async def running_archiver(session: Session, name: str) -> Machine:
    """Return the machine of a declared archiver that runs, else `LinacreError`."""
    return await running_machine(session, name, kind=MachineKind.ARCHIVER)


def _not_running(name: str, kind: MachineKind) -> str:
    return f"{name} does not run: start it with linacre {kind} start {name}"
