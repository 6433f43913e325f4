"""One service at a time: starting, stopping and restarting it."""

from __future__ import annotations

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.engines.base import Capability, Machine, MachineState, require
from linacre.facility.iocs import Verb
from linacre.facility.models import Service
from linacre.facility.reports import wait_until_booted
from linacre.facility.session import Session

_LIMIT_S = 60.0


def declared_service(session: Session, name: str) -> Service:
    """Return a declared service; raise `UserError` with the names there are."""
    services = session.declaration.facility.services
    if name not in services:
        there = ", ".join(services) or "none"
        instead = f"; it is an IOC: linacre ioc show {name}"
        also = instead if name in session.declaration.facility.iocs else f"; it has: {there}"
        raise UserError(f"{session.name} has no service {name}{also}")
    return services[name]


async def act_on_service(
    session: Session, verb: Verb, name: str, *, listener: TaskListener | None = None
) -> bool:
    """Start, stop or restart one service as a task; return False where it was so already.

    Starting and stopping are the machine's; a restart is the command's and its procServ's alone.
    Waits until the service serves. Raises `LinacreError` where it does not run or does not serve.
    """
    service = declared_service(session, name)
    async with session.changing(f"service {verb} {name}") as engine:
        machine = await existing_machine(session, name)
        running = machine.state is MachineState.RUNNING
        if verb is Verb.RESTART and not running:
            raise LinacreError(_not_running(name))
        if (verb is Verb.START and running) or (verb is Verb.STOP and not running):
            return False
        key = f"{verb} {name}"
        async with session.task(
            f"service {verb}", detail=name, steps=[(key, key)], listener=listener
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
                    service.address,
                    clock=session.clock,
                    limit_s=_LIMIT_S,
                    ports=service.ports,
                )
            await task.step_done(key)
    return True


async def existing_machine(session: Session, name: str) -> Machine:
    """Return the machine of a declared service; the engine is open."""
    declared_service(session, name)
    instead = f"{name} is optional and left out here; the incus engine runs it"
    require(session.engine, Capability.SERVICES, instead=instead)
    machine = (await session.machines()).get(name)
    if machine is None:
        raise LinacreError(f"{name} has no machine yet: run linacre up")
    return machine


async def running_machine(session: Session, name: str) -> Machine:
    """Return the machine of a declared service; raise `LinacreError` where it does not run."""
    machine = await existing_machine(session, name)
    if machine.state is not MachineState.RUNNING:
        raise LinacreError(_not_running(name))
    return machine


def _not_running(name: str) -> str:
    return f"{name} does not run: start it with linacre service start {name}"
