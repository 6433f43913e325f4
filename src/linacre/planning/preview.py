"""What `up` would do: what is declared, what is found, and the plan between them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from linacre.base.errors import UserError
from linacre.base.listing import listed
from linacre.declaration.load import Declaration
from linacre.declaration.models import Access, DeclaredMachine
from linacre.engines.base import Cable, Capability, Limits, Machine, MachineState
from linacre.engines.labels import ORIGIN, kept_key
from linacre.kinds.image import image_digest
from linacre.kinds.kind import AnyKind
from linacre.kinds.maker import Names
from linacre.kinds.names import names_declared
from linacre.kinds.registry import kinds_of
from linacre.planning.plan import Found, Plan, make_plan, narrowed
from linacre.planning.rebuilding import machines_to_rebuild
from linacre.planning.specs import Declared, declared_facility
from linacre.planning.sums import beyond_the_host, beyond_the_pool, host_bytes
from linacre.planning.twin_overrides import TwinOverrides, override_twins
from linacre.session.choose import pool_bytes
from linacre.session.roles import Pair
from linacre.session.session import Session


@dataclass(frozen=True)
class UpOptions:
    """What `up` may do beside its ordinary work."""

    prune: bool = False
    """Remove machines that are no longer declared."""
    rebuild: tuple[str, ...] = ()
    """Machines to be made anew from the present image; `all` is every outdated one."""
    only: frozenset[str] | None = None
    """The IOCs to look after, the desks that know them included; None is the whole facility."""
    boot_limit_s: float = 60.0


@dataclass(frozen=True)
class Preview:
    """What is declared, what is found, and the plan between them."""

    declared: Declared
    found: Found
    plan: Plan
    notes: tuple[str, ...]
    pairs: Mapping[str, Pair]
    """The machines of each declared IOC."""


@dataclass(frozen=True)
class Comparison:
    """What is declared beside what there is, no machine looked into yet."""

    declared: Declared
    """As it is to be: twins and promoted machines are left alone."""
    found: Found
    overrides: TwinOverrides
    names: Names
    """What the patterns of PVs mean."""


async def compare(session: Session, only: frozenset[str] | None = None) -> Comparison:
    """Return what is declared and what there is. The engine is open, or holds nothing yet.

    With `only`, machines are those of what is declared under these names: no other is looked for,
    and no other's files are read.
    """
    names = await names_declared(session, only)
    # The engine is asked while the declared files are read: neither waits for the other.
    asking = asyncio.create_task(_found(session, only))
    try:
        declared = await declared_facility(
            session.declaration,
            engine=session.engine,
            paths=session.paths,
            image=image_digest(session),
            names=names,
            kinds=kinds_of(session),
            only=only,
        )
        found = await asking
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    overrides = override_twins(declared, found.machines, found.record)
    return Comparison(overrides.declared, found, overrides, names)


async def _found(session: Session, only: frozenset[str] | None) -> Found:
    if not await session.engine.exists():
        return Found()
    return Found(*await session.found(None if only is None else _possible(session, only)))


def _possible(session: Session, only: Collection[str]) -> list[str]:
    """Return the names that the machines may have of what is declared under some names."""
    programs = kinds_of(session).programs(session.declaration.facility)
    return [each for kind, name, _ in programs if name in only for each in kind.machine_names(name)]


async def preview(session: Session, options: UpOptions) -> Preview:
    """Return what `up` would do, changing nothing. The engine is open, or holds nothing yet."""
    compared = await compare(session)
    declared, found, overrides = compared.declared, compared.found, compared.overrides
    _check_kept(declared, found)
    meant = _machines_of(session, options.only, overrides)
    looked_at = {
        name: each for name, each in found.machines.items() if meant is None or name in meant
    }
    # A new IOC has no machine to look into, and that is what people wait for.
    if any(not declared.kinds.of(machine).is_of_network for machine in looked_at.values()):
        silent, wrong = await _silent(session, overrides, looked_at), await _wrong(session, found)
        found = replace(
            found,
            silent=silent,
            moved={each.machine: each.recorded for each in wrong if not each.is_cut},
            cut=frozenset(each.machine for each in wrong if each.is_cut),
        )
    plan = make_plan(
        declared,
        found,
        digest=declaration_digest(session.declaration),
        rebuild=machines_to_rebuild(found, overrides, options.rebuild),
        prune=options.prune,
    )
    if meant is not None:
        plan = narrowed(plan, meant)
    notes = (
        *_notes(session, declared, plan),
        *_kinds_notes(session, compared.names, options.only),
        *_twin_notes(overrides, found.machines),
    )
    return Preview(declared, found, plan, notes, overrides.pairs)


def _machines_of(
    session: Session, only: frozenset[str] | None, overrides: TwinOverrides
) -> frozenset[str] | None:
    """Return the machines that a command is about; None is all of them."""
    if only is None:
        return None
    machines = {
        n
        for ioc in only
        for n in (overrides.pairs[ioc].names if ioc in overrides.pairs else (ioc,))
    }
    declared, finds_all = overrides.declared, Capability.BROADCAST in session.engine.capabilities()
    also = {
        machine.name
        for machine in declared.machines
        if (kind := declared.kinds.of(machine)).is_of_network
        or (kind.names_addresses and not finds_all)
    }
    return frozenset(machines | also | only)


def _check_kept(declared: Declared, found: Found) -> None:
    """Raise `UserError` for what would take the data of a deleted archiver for its own."""
    keeping = [kind for kind in declared.kinds if kind.keeps_data]
    for spec in declared.machines:
        kind = declared.kinds.of(spec)
        if kind not in keeping and kept_key(spec.name) in found.record:
            remedy = " or ".join(each.command("delete", spec.name, "--purge") for each in keeping)
            raise UserError(
                f"there are data of a deleted {' or '.join(each.noun for each in keeping)} "
                f"{spec.name}; give the {kind.name} another name, or remove them: {remedy}"
            )


async def _wrong(session: Session, found: Found) -> list[Cable]:
    """Return the cables that are not as they are to be."""
    if Capability.CABLES not in session.engine.capabilities():
        return []
    wiring = session.engine.wiring
    cables = (await wiring.cables(found.machines.values(), found.record)).values()
    return [cable for cable in cables if not cable.is_right]


async def _silent(
    session: Session, overrides: TwinOverrides, machines: Mapping[str, Machine]
) -> frozenset[str]:
    async def is_silent(name: str, kind: AnyKind, program: DeclaredMachine) -> bool:
        report = await kind.report(
            session.engine,
            name,
            program.address,
            clock=session.clock,
            hold_off_s=float(program.hold_off),
            ports=kind.ports(program),
        )
        return not report.booted or report.restart_loop

    names = {ioc: pair.names for ioc, pair in overrides.pairs.items()}
    running = [
        (name, kind, program)
        for kind, program_name, program in kinds_of(session).programs(session.declaration.facility)
        for name in names.get(program_name, (program_name,))
        if (machine := machines.get(name)) and machine.state is MachineState.RUNNING
    ]
    told = await asyncio.gather(*(is_silent(*each) for each in running))
    return frozenset(name for (name, *_), silent in zip(running, told, strict=True) if silent)


def _notes(session: Session, declared: Declared, plan: Plan) -> tuple[str, ...]:
    notes: list[str] = []
    if plan.undeclared:
        named = listed(plan.undeclared)
        notes.append(f"no longer declared, left running: {named} (up --prune removes them)")
    if plan.outdated:
        named = listed(plan.outdated)
        notes.append(f"made from an older image: {named} (up --rebuild makes them anew)")
    if declared.left_out:
        named = listed(declared.left_out)
        notes.append(f"the {session.engine.name} engine runs no services, left out: {named}")
    limited = [
        spec.name
        for spec in declared.machines
        if spec.limits != Limits(processes=spec.traits.processes)
    ]
    if limited and Capability.LIMITS not in session.engine.capabilities():
        notes.append(f"the {session.engine.name} engine applies no limits: {listed(limited)}")
    if {Capability.LIMITS, Capability.CABLES} <= session.engine.capabilities():
        notes += beyond_the_host(declared.machines, host_bytes())
    if (pool := pool_bytes(session.declaration.facility.engine)) is not None:
        notes += beyond_the_pool(declared.machines, pool)
    if session.engine.name == "process" and session.declaration.facility.access != Access():
        notes.append(f"the {session.engine.name} engine gives no log-in: access is not used")
    return tuple(notes)


def _kinds_notes(session: Session, names: Names, only: Collection[str] | None) -> Iterator[str]:
    """Yield what kinds of machine have to say of what is declared."""
    folder = session.declaration.folder
    for kind, name, item in kinds_of(session).programs(session.declaration.facility):
        if only is None or name in only:
            yield from kind.notes(name, item, folder, names)


def _twin_notes(overrides: TwinOverrides, machines: Mapping[str, Machine]) -> Iterator[str]:
    with_twin = [pair.ioc for pair in overrides.pairs.values() if pair.twin]
    if with_twin:
        named = listed(with_twin)
        yield f"have a twin, and stay as they are until ioc promote: {named}"
    for ioc in overrides.held:
        origin = machines[overrides.pairs[ioc].live].labels.get(ORIGIN, "a twin")
        yield (
            f"{ioc} keeps the files of {origin}, its promoted twin's, until those declared change"
        )


def declaration_digest(declaration: Declaration) -> str:
    """Return the digest of the file's text, by which a change of it is seen."""
    return hashlib.sha256(declaration.text.encode()).hexdigest()[:16]
