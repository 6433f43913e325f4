"""Bringing a facility up: from its declaration to machines, by way of a plan."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import linacre
from linacre.base.errors import UserError
from linacre.base.tasks import TaskListener
from linacre.engines.base import Capability, Limits, Machine, MachineState
from linacre.facility.apply import Work, apply
from linacre.facility.image import have_image, image_digest
from linacre.facility.labels import IMAGE, ORIGIN
from linacre.facility.load import Declaration
from linacre.facility.lock import FacilityLock
from linacre.facility.models import Access, Ioc
from linacre.facility.plan import Found, Plan, make_plan
from linacre.facility.reports import ioc_report
from linacre.facility.roles import Pair
from linacre.facility.session import Session
from linacre.facility.settle import Settled, settle
from linacre.facility.specs import Declared, declared_facility
from linacre.facility.state import Standing

ALL_OUTDATED = "all"


@dataclass(frozen=True)
class UpOptions:
    """What `up` may do beside its ordinary work."""

    prune: bool = False
    """Remove machines that are no longer declared."""
    rebuild: tuple[str, ...] = ()
    """Machines to be made anew from the present image; `all` is every outdated one."""
    boot_limit_s: float = 60.0


@dataclass(frozen=True)
class Prospect:
    """What is declared, what is found, and the plan between them."""

    declared: Declared
    found: Found
    plan: Plan
    notes: tuple[str, ...]
    pairs: Mapping[str, Pair]
    """The machines of each declared IOC."""


@dataclass(frozen=True)
class Talk:
    """How a command speaks with whoever called it."""

    confirm: Callable[[str], bool]
    """Asks for a yes; True where nobody is to be asked."""
    say: Callable[[str], None]
    """Shows one line."""
    show_plan: Callable[[Plan], None]
    """Shows what will be done, before it is."""
    listener: TaskListener | None = None
    """Is told of each step as it goes."""
    asks: bool = True
    """Whether `confirm` asks a person, for whom it pays to look closer."""


async def look_ahead(session: Session, options: UpOptions) -> Prospect:
    """Return what `up` would do, changing nothing. The engine is open, or holds nothing yet."""
    declared = await declared_facility(
        session.declaration,
        engine=session.engine,
        paths=session.paths,
        image=image_digest(session),
    )
    found = Found()
    if await session.engine.exists():
        found = Found(await session.machines(), await session.engine.record())
    settled = settle(declared, found.machines, found.record)
    declared = settled.declared
    found = replace(
        found,
        silent=await _silent(session, settled, found.machines),
        moved=await _moved(session) if found.machines else {},
    )
    plan = make_plan(
        declared,
        found,
        digest=declaration_digest(session.declaration),
        rebuild=_rebuilds(declared, found, options.rebuild),
        prune=options.prune,
    )
    notes = (*_notes(session, declared, plan), *_twin_notes(settled, found.machines))
    return Prospect(declared, found, plan, notes, settled.pairs)


async def _moved(session: Session) -> dict[str, str | None]:
    if Capability.CABLES not in session.engine.capabilities():
        return {}
    cables = (await session.engine.wiring.cables()).values()
    return {cable.machine: cable.recorded for cable in cables if not cable.is_right}


async def _silent(
    session: Session, settled: Settled, machines: Mapping[str, Machine]
) -> frozenset[str]:
    async def is_silent(name: str, ioc: Ioc) -> bool:
        report = await ioc_report(
            session.engine, name, ioc.address, clock=session.clock, hold_off_s=float(ioc.hold_off)
        )
        return not report.booted or report.restart_loop

    running = [
        (name, ioc)
        for ioc_name, ioc in session.declaration.facility.iocs.items()
        for name in settled.pairs[ioc_name].names
        if (machine := machines.get(name)) and machine.state is MachineState.RUNNING
    ]
    told = await asyncio.gather(*(is_silent(name, ioc) for name, ioc in running))
    return frozenset(name for (name, _), silent in zip(running, told, strict=True) if silent)


def _rebuilds(declared: Declared, found: Found, asked: tuple[str, ...]) -> frozenset[str]:
    names = {spec.name for spec in declared.machines}
    for name in asked:
        if name != ALL_OUTDATED and name not in names:
            raise UserError(f"there is no machine {name} to rebuild; there are: {_listed(names)}")
    outdated = {
        spec.name
        for spec in declared.machines
        if (machine := found.machines.get(spec.name)) and machine.labels.get(IMAGE) != spec.image
    }
    chosen = set(asked) - {ALL_OUTDATED}
    return frozenset(chosen | outdated if ALL_OUTDATED in asked else chosen)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _notes(session: Session, declared: Declared, plan: Plan) -> tuple[str, ...]:
    notes: list[str] = []
    if plan.undeclared:
        named = ", ".join(plan.undeclared)
        notes.append(f"no longer declared, left running: {named} (up --prune removes them)")
    if plan.outdated:
        named = ", ".join(plan.outdated)
        notes.append(f"made from an older image: {named} (up --rebuild makes them anew)")
    limited = [spec.name for spec in declared.machines if spec.limits != Limits()]
    if limited and Capability.LIMITS not in session.engine.capabilities():
        notes.append(f"the {session.engine.name} engine applies no limits: {', '.join(limited)}")
    if session.engine.name == "process" and session.declaration.facility.access != Access():
        notes.append(f"the {session.engine.name} engine gives no log-in: access is not used")
    return tuple(notes)


def _twin_notes(settled: Settled, machines: Mapping[str, Machine]) -> Iterator[str]:
    with_twin = [pair.ioc for pair in settled.pairs.values() if pair.twin]
    if with_twin:
        named = ", ".join(with_twin)
        yield f"have a twin, and stay as they are until ioc promote: {named}"
    for ioc in settled.held:
        origin = machines[settled.pairs[ioc].live].labels.get(ORIGIN, "a twin")
        yield (
            f"{ioc} keeps the files of {origin}, its promoted twin's, until those declared change"
        )


def declaration_digest(declaration: Declaration) -> str:
    """Return the digest of the file's text, by which a change of it is seen."""
    return hashlib.sha256(declaration.text.encode()).hexdigest()[:16]


def _recorded_text(declaration: Declaration) -> str:
    """Return the file's text as the engine keeps it: without the hash of a password."""
    telnet = declaration.facility.access.telnet
    if telnet is None:
        return declaration.text
    return declaration.text.replace(telnet.password_hash, "(kept out)")


def _record(session: Session) -> dict[str, str]:
    return {
        "digest": declaration_digest(session.declaration),
        "declaration": _recorded_text(session.declaration),
        "file": str(session.declaration.file.absolute()),
        "applied": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.clock.now())),
        "by": getpass.getuser(),
        "version": linacre.__version__,
    }


async def bring_up(session: Session, options: UpOptions, talk: Talk) -> Prospect | None:
    """Bring the facility to its declaration, as one task.

    Returns what was done, or None where the person asked said no. Raises `BusyError` while
    another command changes the facility, `StepsFailedError` where not all could be done.
    """
    if session.engine_line:
        talk.say(session.engine_line)
    async with (
        FacilityLock(session.paths, command="up", clock=session.clock),
        session.engine_open(),
    ):
        prospect = await look_ahead(session, options)
        for note in prospect.notes:
            talk.say(note)
        if prospect.plan.is_empty:
            session.take_note(Standing.UP)
            return prospect
        talk.show_plan(prospect.plan)
        if prospect.plan.restarts and not talk.confirm(_question(prospect.plan)):
            return None
        session.take_note(Standing.UP)
        await _carry_out(session, options, prospect, talk)
    return prospect


def _question(plan: Plan) -> str:
    return f"This restarts {', '.join(plan.restarts)}. Go on?"


async def _carry_out(session: Session, options: UpOptions, prospect: Prospect, talk: Talk) -> None:
    work = Work(
        engine=session.engine,
        declared=prospect.declared,
        found=prospect.found.machines,
        build_image=lambda: have_image(session, report=talk.say),
        record=_record(session),
        clock=session.clock,
        boot_limit_s=options.boot_limit_s,
    )
    steps = [(step.key, step.title) for step in prospect.plan.steps]
    detail = str(session.declaration.file)
    async with session.task("up", detail=detail, steps=steps, listener=talk.listener) as task:
        await apply(prospect.plan, work, task)
