"""How a facility stands: a row for each IOC and service, from file, engine and machines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from linacre.declaration.models import Archiver, Ioc, Service
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
from linacre.epics.report import DOWN, IocReport
from linacre.kinds.archiver.status import ArchiverStatus, archiver_row
from linacre.kinds.reports import ioc_report
from linacre.kinds.service.ports import closed_ports
from linacre.kinds.service.status import ServiceStatus, service_row
from linacre.planning.plan import Plan
from linacre.planning.preview import Preview, UpOptions, preview
from linacre.planning.twin_overrides import is_held
from linacre.session.roles import Pair
from linacre.session.session import Session

UNPLUGGED = "unplugged"
_LARGEST_COMPARED = 1 << 20


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
class IocStatus:
    """One IOC."""

    name: str
    kind: str
    host: str
    network: str
    address: str
    endpoint: str
    """The address that clients on this host reach it at."""
    machine: str
    procserv: str
    ioc: str
    started_at: float | None
    uptime_s: float | None
    starts: int
    pvs: int | None
    files: str
    live: str
    """The machine that serves."""
    cable: str | None
    """The network that its cable is in, or `unplugged`; None where the engine has no cables."""
    twin: str | None
    """Its twin, where there is one."""
    green: bool
    """Whether all is as it should be: running, booted, plugged in, no restart loop."""
    description: str
    owner: str
    area: str


@dataclass(frozen=True)
class FacilityStatus:
    """A facility, its IOCs, its services and its archivers."""

    facility: str
    engine: str
    standing: str
    iocs: tuple[IocStatus, ...]
    services: tuple[ServiceStatus, ...]
    archivers: tuple[ArchiverStatus, ...]
    undeclared: tuple[str, ...]
    outdated: tuple[str, ...]
    """Machines made from an older image."""

    @property
    def green(self) -> bool:
        """Whether every IOC, service and archiver is as it should be."""
        return all(each.green for each in (*self.iocs, *self.services, *self.archivers))


async def facility_status(session: Session) -> FacilityStatus:
    """Return how the facility stands, changing nothing.

    A facility that is down is told from its file alone: no daemon is started to look.
    """
    if not await session.is_up():
        return await _all_down(session)
    async with session.engine_open() as engine:
        ahead = await preview(session, UpOptions())
        machines = ahead.found.machines
        has_cables = Capability.CABLES in engine.capabilities()
        cables = await engine.wiring.cables() if has_cables else None
        rows = [
            _row(session, ahead.pairs[name], ioc, ahead.declared.iocs[name], machines, cables)
            for name, ioc in session.declaration.facility.iocs.items()
        ]
        others = [
            _service_row(session, name, service, ahead, cables)
            for name, service in session.declaration.facility.services.items()
        ]
        archivers = [
            _archiver_row(session, name, archiver, ahead, cables)
            for name, archiver in session.declaration.facility.archivers.items()
        ]
        iocs, services, archives = await asyncio.gather(
            asyncio.gather(*rows), asyncio.gather(*others), asyncio.gather(*archivers)
        )
    return _facility(session, tuple(iocs), tuple(services), tuple(archives), ahead.plan)


async def _all_down(session: Session) -> FacilityStatus:
    rows = [
        _status(Pair(name, name), ioc, session, machine=None, found=DOWN, files=Files.UNKNOWN)
        for name, ioc in session.declaration.facility.iocs.items()
    ]
    has_services = Capability.SERVICES in session.engine.capabilities()
    services = [
        service_row(
            session,
            name,
            service,
            machine=None,
            found=DOWN,
            closed=service.ports,
            files=Files.UNKNOWN,
            cable=None,
            left_out=service.optional and not has_services,
        )
        for name, service in session.declaration.facility.services.items()
    ]
    archivers = [
        archiver_row(
            session, name, archiver, machine=None, found=DOWN, files=Files.UNKNOWN, cable=None
        )
        for name, archiver in session.declaration.facility.archivers.items()
    ]
    return _facility(session, tuple(rows), tuple(services), tuple(archivers), Plan(()))


def _facility(
    session: Session,
    iocs: tuple[IocStatus, ...],
    services: tuple[ServiceStatus, ...],
    archivers: tuple[ArchiverStatus, ...],
    plan: Plan,
) -> FacilityStatus:
    return FacilityStatus(
        facility=session.name,
        engine=session.engine.name,
        standing=str(session.note.standing) if session.note else "down",
        iocs=iocs,
        services=services,
        archivers=archivers,
        undeclared=plan.undeclared,
        outdated=plan.outdated,
    )


async def _row(
    session: Session,
    pair: Pair,
    ioc: Ioc,
    spec: MachineSpec,
    machines: Mapping[str, Machine],
    cables: Mapping[str, Cable] | None,
) -> IocStatus:
    machine = machines.get(pair.live)
    if machine is None or machine.state is not MachineState.RUNNING:
        return _status(pair, ioc, session, machine=machine, found=DOWN, files=Files.UNKNOWN)
    found = await ioc_report(
        session.engine,
        pair.live,
        ioc.address,
        clock=session.clock,
        hold_off_s=float(ioc.hold_off),
    )
    files = await compare_files(session.engine, spec, machine)
    row = _status(pair, ioc, session, machine=machine, found=found, files=files)
    if cables is None:
        return row
    cable = (cables[pair.live].found if pair.live in cables else None) or UNPLUGGED
    return replace(row, cable=cable, green=row.green and cable == ioc.network)


async def _service_row(
    session: Session,
    name: str,
    service: Service,
    ahead: Preview,
    cables: Mapping[str, Cable] | None,
) -> ServiceStatus:
    machine, found, files, cable = await _seen(session, name, service, ahead, cables)
    closed = service.ports
    if found.procserv_up:
        closed = tuple(c.port for c in await closed_ports(session.engine, name, service.ports))
    return service_row(
        session,
        name,
        service,
        machine=machine,
        found=found,
        closed=closed,
        files=files,
        cable=cable,
        left_out=name in ahead.declared.left_out,
    )


async def _archiver_row(
    session: Session,
    name: str,
    archiver: Archiver,
    ahead: Preview,
    cables: Mapping[str, Cable] | None,
) -> ArchiverStatus:
    machine, found, files, cable = await _seen(session, name, archiver, ahead, cables)
    return archiver_row(
        session, name, archiver, machine=machine, found=found, files=files, cable=cable
    )


async def _seen(
    session: Session,
    name: str,
    program: Service | Archiver,
    ahead: Preview,
    cables: Mapping[str, Cable] | None,
) -> tuple[Machine | None, IocReport, Files, str | None]:
    """Return the machine of a service or an archiver, how it does, its files and its cable."""
    machine = ahead.found.machines.get(name)
    if machine is None or machine.state is not MachineState.RUNNING:
        return machine, DOWN, Files.UNKNOWN, None
    found = await ioc_report(
        session.engine,
        name,
        program.address,
        clock=session.clock,
        hold_off_s=float(program.hold_off),
        ports=program.ports,
    )
    files = await compare_files(session.engine, ahead.declared.machine(name), machine)
    cable = None
    if cables is not None:
        cable = (cables[name].found if name in cables else None) or UNPLUGGED
    return machine, found, files, cable


async def compare_files(engine: Engine, spec: MachineSpec, machine: Machine) -> Files:
    """Compare the files in a running machine with those declared."""
    if machine.labels.get(PROGRAM_DIGEST) != spec.labels[PROGRAM_DIGEST]:
        return Files.TWIN if is_held(spec, machine) else Files.CHANGED
    for file in spec.payload.files:
        if file.part is not Part.PROGRAM or (file.data is None and file.source is None):
            continue
        wanted = file.source.read_bytes() if file.source else file.data
        if wanted is None or len(wanted) > _LARGEST_COMPARED:
            continue
        there = await engine.read(machine.name, file.path, limit=_LARGEST_COMPARED + 1)
        if there is not None and there != wanted:
            return Files.EDITED
    return Files.CLEAN


def _status(
    pair: Pair,
    ioc: Ioc,
    session: Session,
    *,
    machine: Machine | None,
    found: IocReport,
    files: Files,
) -> IocStatus:
    bind = session.engine.layout(pair.live, ioc.address).bind
    uptime = None if found.started_at is None else max(0.0, session.clock.now() - found.started_at)
    return IocStatus(
        name=pair.ioc,
        kind=ioc.kind,
        host=machine.host if machine else "-",
        network=ioc.network or "",
        address=str(ioc.address),
        endpoint=str(bind or ioc.address),
        machine=str(machine.state) if machine else "stopped" if session.note else "absent",
        procserv="up" if found.procserv_up else "down",
        ioc=_ioc_word(found),
        started_at=found.started_at,
        uptime_s=uptime,
        starts=found.starts,
        pvs=found.pv_count,
        files=str(files),
        live=pair.live,
        cable=None,
        twin=pair.twin,
        green=found.booted and not found.restart_loop,
        description=ioc.description,
        owner=ioc.owner,
        area=ioc.area,
    )


def _ioc_word(found: IocReport) -> str:
    if found.restart_loop:
        return "restart loop"
    if found.booted:
        return "up"
    return "booting" if found.ioc_up else "down"
