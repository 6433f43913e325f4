"""How a facility stands: a row for all that is declared, from file, engine and machines."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from linacre.declaration.models import DeclaredMachine
from linacre.engines.base import (
    Cable,
    Capability,
    Engine,
    Machine,
    MachineSpec,
    MachineState,
    Part,
)
from linacre.engines.labels import PROGRAM_DIGEST
from linacre.kinds.kind import AnyKind, Kind
from linacre.kinds.registry import Kinds, kinds_of
from linacre.kinds.rows import RowT, Seen
from linacre.observing import ceilings
from linacre.planning.plan import make_plan
from linacre.planning.preview import Comparison, compare
from linacre.planning.twin_overrides import is_held
from linacre.session.roles import Pair
from linacre.session.session import Session

UNPLUGGED = "unplugged"
_LARGEST_COMPARED = 1 << 20
_READ_AT_ONCE = 64


class Files(StrEnum):
    """How the files that an IOC runs compare with those that are declared."""

    CLEAN = "clean"
    CHANGED = "changed"
    """The declared files are newer than those in the machine; `up` brings them there."""
    EDITED = "edited"
    """Somebody changed files inside the machine."""
    TWIN = "twin's"
    """Those of a twin that is live or was promoted; `up` leaves them until the declared change."""
    UNKNOWN = "-"


@dataclass(frozen=True)
class FacilityStatus:
    """A facility, and a row for all that is declared."""

    facility: str
    engine: str
    standing: str
    kinds: Kinds
    rows: Mapping[str, tuple[Any, ...]]
    """For each kind of machine by its name, what it tells of its own."""
    undeclared: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    """Machines made from an older image."""
    near: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By machine, which of its ceilings it is near, in words."""

    @property
    def green(self) -> bool:
        """Whether all that is declared is as it should be."""
        return all(row.green for rows in self.rows.values() for row in rows)

    def of(self, kind: Kind[Any, RowT]) -> tuple[RowT, ...]:
        """Return the rows of a kind."""
        return self.rows[kind.name]

    def row(self, kind: Kind[Any, RowT], name: str) -> RowT:
        """Return one row; `LookupError` where it was not looked at."""
        for row in self.of(kind):
            if row.name == name:
                return row
        raise LookupError(name)

    @property
    def told(self) -> dict[str, object]:
        """What `status --json` has: the rows under the names of their sections."""
        return {
            "facility": self.facility,
            "engine": self.engine,
            "standing": self.standing,
            **{section.key: self.of(kind) for kind, section in self.kinds.declared},
            "undeclared": self.undeclared,
            "outdated": self.outdated,
            "near_ceilings": self.near,
        }


async def facility_status(session: Session, only: Collection[str] | None = None) -> FacilityStatus:
    """Return how the facility stands, changing nothing.

    With `only`, what is declared under these names is looked at and nothing else. A facility that
    is down is told from its file alone: no daemon is started to look.
    """
    if not await session.is_up():
        return await _told(session, only, None, None)
    async with session.engine_open() as engine:
        compared = await compare(session, None if only is None else frozenset(only))
        has_cables = Capability.CABLES in engine.capabilities()
        found, cables = compared.found, None
        near = await near_ceilings(engine, found.machines.values())
        if has_cables:
            cables = await engine.wiring.cables(found.machines.values(), found.record)
        return replace(await _told(session, only, compared, cables), near=near)


async def _told(
    session: Session,
    only: Collection[str] | None,
    compared: Comparison | None,
    cables: Mapping[str, Cable] | None,
) -> FacilityStatus:
    kinds = kinds_of(session)

    async def row(kind: AnyKind, name: str, item: DeclaredMachine) -> object:
        seen = Seen(live=name, left_out=kind.is_left_out(item, session.engine))
        if compared is not None and not seen.left_out:
            seen = await _seen(session, kind, name, item, compared, cables)
        return await kind.row(session, name, item, seen)

    chosen = [
        each
        for each in kinds.programs(session.declaration.facility)
        if only is None or each[1] in only
    ]
    found = await asyncio.gather(*(row(*each) for each in chosen))
    rows: dict[str, list[object]] = {kind.name: [] for kind, _ in kinds.declared}
    for (kind, *_), told in zip(chosen, found, strict=True):
        rows[kind.name].append(told)
    undeclared, outdated = (), ()
    if compared is not None and only is None:
        plan = make_plan(compared.declared, compared.found, digest=None)
        undeclared, outdated = plan.undeclared, plan.outdated
    return FacilityStatus(
        facility=session.name,
        engine=session.engine.name,
        standing=str(session.note.standing) if session.note else "down",
        kinds=kinds,
        rows={name: tuple(told) for name, told in rows.items()},
        undeclared=undeclared,
        outdated=outdated,
    )


async def near_ceilings(engine: Engine, machines: Iterable[Machine]) -> dict[str, tuple[str, ...]]:
    """Return, of machines that run on this host, which of their ceilings they are near."""
    running = {machine.name: machine.pid for machine in machines if machine.pid is not None}
    used = await engine.used(running)
    found: dict[str, tuple[str, ...]] = {}
    for name, pid in running.items():
        group = ceilings.read_group(pid)
        near = (*(group.near if group else ()), *ceilings.near(used.get(name, ())))
        if near:
            found[name] = near
    return found


async def _seen(
    session: Session,
    kind: AnyKind,
    name: str,
    item: DeclaredMachine,
    compared: Comparison,
    cables: Mapping[str, Cable] | None,
) -> Seen:
    """Return what is seen of one machine; no other is asked."""
    pair = compared.overrides.pairs.get(name, Pair(name, name))
    machine = compared.found.machines.get(pair.live)
    if machine is None or machine.state is not MachineState.RUNNING:
        return Seen(live=pair.live, machine=machine, twin=pair.twin)
    report = await kind.report(
        session.engine,
        pair.live,
        item.address,
        clock=session.clock,
        hold_off_s=float(item.hold_off),
        ports=kind.ports(item),
    )
    # What is declared, also of an IOC whose machines are left as they are.
    spec = compared.declared.iocs.get(name) or compared.declared.machine(name)
    cable = None
    if cables is not None:
        cable = (cables[pair.live].found if pair.live in cables else None) or UNPLUGGED
    return Seen(
        live=pair.live,
        machine=machine,
        report=report,
        files=await compare_files(session.engine, spec, machine),
        cable=cable,
        twin=pair.twin,
    )


async def compare_files(engine: Engine, spec: MachineSpec, machine: Machine) -> Files:
    """Compare the files in a running machine with those declared."""
    if machine.labels.get(PROGRAM_DIGEST) != spec.labels[PROGRAM_DIGEST]:
        return Files.TWIN if is_held(spec, machine) else Files.CHANGED
    wanted: dict[PurePosixPath, bytes] = {}
    for file in spec.payload.files:
        data = file.content
        if file.part is Part.PROGRAM and data is not None and len(data) <= _LARGEST_COMPARED:
            wanted[file.path] = data
    paths = [*wanted]
    for begin in range(0, len(paths), _READ_AT_ONCE):
        some = paths[begin : begin + _READ_AT_ONCE]
        there = await engine.read_all(machine.name, some, limit=_LARGEST_COMPARED + 1)
        if any(there.get(path) not in (None, wanted[path]) for path in some):
            return Files.EDITED
    return Files.CLEAN
