"""The machine of a declared IOC, or of its twin."""

from __future__ import annotations

from linacre.base.errors import LinacreError, UserError
from linacre.engines.base import Machine, MachineState
from linacre.session.session import Session


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
        raise LinacreError(not_running(ioc, twin=twin))
    return machine


def not_running(ioc: str, *, twin: bool) -> str:
    """Return what is said of an IOC, or a twin, that does not run."""
    of, option = ("the twin of ", " --twin") if twin else ("", "")
    return f"{of}{ioc} does not run: start it with linacre ioc start {ioc}{option}"
