"""One IOC at a time: starting, stopping, restarting, and what it runs against what is declared."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.declaration.names import machine_names
from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import PROGRAM_DIGEST
from linacre.kinds.ioc.differences import FileDifference, differing
from linacre.kinds.ioc.file_tree import declared_tree, shown, tree_inside, without
from linacre.kinds.registry import IOC
from linacre.operations.history.recording import Recorder
from linacre.operations.served import tell_unserved
from linacre.operations.start_errors import tell_start_errors
from linacre.planning.preview import compare
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
            raise LinacreError(_not_running(name, twin=twin))
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
            await tell_start_errors(session, {machine.name: name}, say=session.say)
            await _tell_unserved(session, name, machine)
    return True


async def _tell_unserved(session: Session, name: str, machine: Machine) -> None:
    """Tell what an IOC does not serve, unless other files are in its machine than are declared."""
    specs = (await compare(session, frozenset({name}))).declared.iocs
    if machine.labels.get(PROGRAM_DIGEST) == specs[name].labels[PROGRAM_DIGEST]:
        found = {machine.name: machine}
        await tell_unserved(
            session, {machine.name: name}, specs=specs, before=found, say=session.say
        )


async def _do(session: Session, verb: Verb, ioc: str, machine: str) -> None:
    engine = session.engine
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


async def existing_machine(session: Session, ioc: str, *, twin: bool = False) -> Machine:
    """Return a machine of a declared IOC, the live one or its twin; the engine is open."""
    pair = await session.pair(ioc)
    if twin and pair.twin is None:
        raise UserError(f"{ioc} has no twin: linacre ioc twin {ioc} makes one")
    name = pair.twin if twin and pair.twin else pair.live
    machine = (await session.machines((name,))).get(name)
    if machine is None:
        raise LinacreError(f"{ioc} has no machine yet: run linacre up")
    return machine


async def running_machine(session: Session, ioc: str, *, twin: bool = False) -> Machine:
    """Return a machine of a declared IOC; raise `LinacreError` where it does not run."""
    machine = await existing_machine(session, ioc, twin=twin)
    if machine.state is not MachineState.RUNNING:
        raise LinacreError(_not_running(ioc, twin=twin))
    return machine


def _not_running(ioc: str, *, twin: bool) -> str:
    of, option = ("the twin of ", " --twin") if twin else ("", "")
    return f"{of}{ioc} does not run: start it with linacre ioc start {ioc}{option}"


async def differences(session: Session, name: str, *, twin: bool = False) -> list[FileDifference]:
    """Return how the files in a running machine differ from those declared; the engine is open."""
    machine = await running_machine(session, name, twin=twin)
    spec = (await compare(session, frozenset((name,)))).declared.iocs[name]
    ioc = session.declaration.facility.iocs[name]
    layout = session.engine.layout(name, ioc.address)
    kept = [PurePosixPath(str(folder)) for folder in ioc.persistent]
    declared = without(declared_tree(spec, layout.tree), kept)
    there = without(await tree_inside(session.engine, machine.name, layout.tree), kept)
    return [*differing(shown(there), shown(declared), sides=("running", "declared"))]
