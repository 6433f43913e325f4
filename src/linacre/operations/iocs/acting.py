"""One IOC at a time: starting, stopping, restarting."""

from __future__ import annotations

from enum import StrEnum

from linacre.base.errors import LinacreError
from linacre.base.loading import load_soon
from linacre.base.tasks import TaskListener
from linacre.declaration.names import machine_names
from linacre.engines.base import MachineState
from linacre.kinds.registry import IOC
from linacre.operations.history.recording import Recorder
from linacre.operations.iocs.machines import existing_machine, not_running
from linacre.session.session import Session


class Verb(StrEnum):
    """What is done to an IOC."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


async def act(
    session: Session,
    verb: Verb,
    name: str,
    *,
    twin: bool = False,
    listener: TaskListener | None = None,
) -> bool:
    """Start, stop or restart one IOC, or its twin, as a task; return False where it was so already.

    Starting and stopping are the machine's; a restart is the IOC's and its procServ's alone.
    Waits until the IOC has booted. Raises `LinacreError` where it does not run or does not boot.
    """
    session.check_ioc(name)
    async with session.changing(f"ioc {verb} {name}"):
        machine = await existing_machine(session, name, twin=twin)
        running = machine.state is MachineState.RUNNING
        if verb is Verb.RESTART and not running:
            raise LinacreError(not_running(name, twin=twin))
        if (verb is Verb.START and running) or (verb is Verb.STOP and not running):
            return False
        key = f"{verb} {machine.name}"
        async with session.task(
            f"ioc {verb}",
            detail=machine.name,
            steps=[(key, key)],
            listener=listener,
            recorder=Recorder(
                session, f"ioc {verb}", about=() if twin else (name,), machines=machine_names(name)
            ),
        ) as task:
            await task.step_started(key)
            await _do(session, verb, name, machine.name)
            await task.step_done(key)
        if verb is not Verb.STOP:
            # Not before: it was loaded while the IOC booted.
            from linacre.operations.iocs.booted import tell_of_booted

            await tell_of_booted(session, name, machine)
    return True


async def _do(session: Session, verb: Verb, ioc: str, machine: str) -> None:
    engine = session.engine
    if verb is not Verb.STOP:
        load_soon("linacre.operations.iocs.booted")
    match verb:
        case Verb.START:
            await engine.start(machine)
        case Verb.STOP:
            await engine.stop(machine)
        case Verb.RESTART:
            await engine.restart_program(machine)
    if verb is not Verb.STOP:
        address = session.declaration.facility.iocs[ioc].address
        await IOC.wait_until_serving(engine, machine, address, clock=session.clock, limit_s=60)
