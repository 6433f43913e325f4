"""What the checks look at, read once however many of them ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from linacre.declaration.models import DeclaredMachine, Facility
from linacre.engines.base import Cable, Capability, Engine, Machine, MachineState
from linacre.epics.report import IocReport, ServedPv
from linacre.kinds.kind import AnyKind
from linacre.kinds.registry import Kinds, kinds_of
from linacre.kinds.reports import listed_pvs
from linacre.session.roles import Pair, pairs
from linacre.session.session import Session


@dataclass(frozen=True)
class ProgramMachine:
    """A machine that is declared, of whatever kind, live or a twin; made or not."""

    kind: AnyKind
    ioc: str
    """The IOC, service or whatever it is that the machine belongs to."""
    name: str
    is_twin: bool
    declared: DeclaredMachine
    machine: Machine | None

    @property
    def ports(self) -> tuple[str, ...] | None:
        """The ports on which it serves; None for one that tells itself that it does."""
        return self.kind.ports(self.declared)

    @property
    def runs(self) -> bool:
        """Whether the machine runs."""
        return self.machine is not None and self.machine.state is MachineState.RUNNING

    def command(self, verb: str, *more: str) -> str:
        """Return a command on it, of those of its kind."""
        return self.kind.command(verb, self.ioc, *(("--twin",) if self.is_twin else ()), *more)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A facility that is looked at. Without an engine, only its file and its host are."""

    session: Session
    silence: str | None
    """Why the engine is not asked; None where it is."""
    engine_is_wrong: bool = False
    """Whether that is a fault: it should answer."""
    machines: Mapping[str, Machine]
    pairs: Mapping[str, Pair]
    cables: Mapping[str, Cable]
    """Empty where the engine has none to look at."""
    reports: asyncio.Task[Mapping[str, IocReport]] | None = None
    listings: dict[str, asyncio.Task[tuple[ServedPv, ...] | None]] = field(
        default_factory=dict[str, "asyncio.Task[tuple[ServedPv, ...] | None]"]
    )

    @property
    def engine(self) -> Engine:
        """The engine, which is open unless it is silent."""
        return self.session.engine

    @property
    def facility(self) -> Facility:
        """What is declared."""
        return self.session.declaration.facility

    def has(self, capability: Capability) -> bool:
        """Tell whether the engine can do something."""
        return capability in self.engine.capabilities()

    @property
    def kinds(self) -> Kinds:
        """The kinds of machine that there are."""
        return kinds_of(self.session)

    @cached_property
    def ioc_machines(self) -> tuple[ProgramMachine, ...]:
        """Return every machine of a declared IOC, the live ones and the twins."""
        return tuple(each for each in self.program_machines if each.kind.traits.serves_pvs)

    @cached_property
    def program_machines(self) -> tuple[ProgramMachine, ...]:
        """Return the machines of all that is declared, what this engine cannot run left out."""
        return tuple(
            ProgramMachine(kind, name, each, each != pair.live, item, self.machines.get(each))
            for kind, name, item in self.kinds.programs(self.facility)
            if not kind.is_left_out(item, self.engine)
            for pair in (self.pairs.get(name, Pair(name, name)),)
            for each in pair.names
        )

    @property
    def desks(self) -> tuple[Machine, ...]:
        """The desks that there are."""
        return tuple(m for m in self.machines.values() if self.kinds.of(m).is_of_network)

    async def booted(self) -> list[ProgramMachine]:
        """Return the machines whose programs serve."""
        reports = await self.reported()
        return [
            each
            for each in self.program_machines
            if (report := reports.get(each.name)) is not None and report.booted
        ]

    async def served(self, each: ProgramMachine) -> tuple[ServedPv, ...] | None:
        """Return the PVs that the IOC of a running machine serves; None where it does not tell."""
        if each.name not in self.listings:
            listing = listed_pvs(self.engine, each.name, each.declared.address)
            self.listings[each.name] = asyncio.create_task(listing)
        return await asyncio.shield(self.listings[each.name])

    async def reported(self) -> Mapping[str, IocReport]:
        """Return how the IOCs and services of running machines do, by machine."""
        if self.reports is None:
            return {}
        # Many wait for it: one that is cancelled must not take it from the others.
        return await asyncio.shield(self.reports)


async def gather_facts(session: Session) -> Facts:
    """Return the facts of a facility whose engine is open."""
    engine = session.engine
    has_cables = Capability.CABLES in engine.capabilities()

    machines, record = await session.found()
    found: Mapping[str, Cable] = {}
    if has_cables:
        found = await engine.wiring.cables(machines.values(), record)
    iocs = session.declaration.facility.iocs
    facts = Facts(
        session=session,
        silence=None,
        machines=machines,
        pairs=pairs(iocs, machines, record),
        cables=found,
    )
    reports = asyncio.create_task(_reports(facts))
    return replace(facts, reports=reports)


def no_facts(session: Session, *, why: str, wrong: bool) -> Facts:
    """Return the facts of a facility whose engine is not asked."""
    return Facts(
        session=session,
        silence=why,
        engine_is_wrong=wrong,
        machines={},
        pairs={},
        cables={},
    )


async def _reports(facts: Facts) -> Mapping[str, IocReport]:
    async def one(each: ProgramMachine) -> IocReport:
        return await each.kind.report(
            facts.engine,
            each.name,
            each.declared.address,
            clock=facts.session.clock,
            hold_off_s=float(each.declared.hold_off),
            ports=each.ports,
        )

    running = [each for each in facts.program_machines if each.runs]
    told = await asyncio.gather(*(one(each) for each in running))
    return {each.name: report for each, report in zip(running, told, strict=True)}
