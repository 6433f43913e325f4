"""What the checks look at, read once however many of them ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from linacre.declaration.models import Archiver, Facility, Ioc, Service
from linacre.engines.base import Cable, Capability, Engine, Machine, MachineKind, MachineState
from linacre.epics.report import IocReport
from linacre.kinds.reports import ioc_report
from linacre.session.roles import Pair, pairs
from linacre.session.session import Session


@dataclass(frozen=True)
class IocMachine:
    """A machine of an IOC, live or a twin, of a service or of an archiver; made or not."""

    ioc: str
    """The IOC, service or archiver that it belongs to."""
    name: str
    is_twin: bool
    declared: Ioc | Service | Archiver
    machine: Machine | None

    @property
    def ports(self) -> tuple[str, ...] | None:
        """The ports of a service or an archiver; None for an IOC."""
        return self.declared.ports if isinstance(self.declared, Service | Archiver) else None

    @property
    def noun(self) -> str:
        """What it runs, as commands call it."""
        if isinstance(self.declared, Archiver):
            return "archiver"
        return "service" if isinstance(self.declared, Service) else "ioc"

    @property
    def runs(self) -> bool:
        """Whether the machine runs."""
        return self.machine is not None and self.machine.state is MachineState.RUNNING

    def command(self, verb: str, *more: str) -> str:
        """Return a command of `linacre ioc`, `service` or `archiver` on it."""
        twin = ("--twin",) if self.is_twin else ()
        return " ".join(("linacre", self.noun, verb, self.ioc, *twin, *more))


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
    def ioc_machines(self) -> tuple[IocMachine, ...]:
        """Every machine of a declared IOC, the live ones and the twins."""
        there = {ioc: self.pairs.get(ioc, Pair(ioc, ioc)) for ioc in self.facility.iocs}
        return tuple(
            IocMachine(
                ioc, name, name != pair.live, self.facility.iocs[ioc], self.machines.get(name)
            )
            for ioc, pair in there.items()
            for name in pair.names
        )

    @property
    def program_machines(self) -> tuple[IocMachine, ...]:
        """The machines of IOCs and archivers, and those of services that this engine runs."""
        has_services = self.has(Capability.SERVICES)
        services = (
            IocMachine(name, name, False, service, self.machines.get(name))
            for name, service in self.facility.services.items()
            if has_services or not service.optional
        )
        archivers = (
            IocMachine(name, name, False, archiver, self.machines.get(name))
            for name, archiver in self.facility.archivers.items()
        )
        return (*self.ioc_machines, *services, *archivers)

    @property
    def desks(self) -> tuple[Machine, ...]:
        """The desks that there are."""
        return tuple(m for m in self.machines.values() if m.kind is MachineKind.DESK)

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

    async def cables() -> Mapping[str, Cable]:
        return await engine.wiring.cables() if has_cables else {}

    machines, record, found = await asyncio.gather(session.machines(), engine.record(), cables())
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
    async def one(each: IocMachine) -> IocReport:
        return await ioc_report(
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
