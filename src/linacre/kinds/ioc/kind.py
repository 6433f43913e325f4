"""IOCs: what serves PVs, each in a machine of its own, which may have a twin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from linacre.base.listing import listed
from linacre.declaration.models import IOCS, Facility, Ioc, PythonIoc
from linacre.declaration.sources import SourceTree
from linacre.engines.base import Capability, Engine, MachineSpec, Traits, require
from linacre.epics.report import IocReport
from linacre.kinds.ioc.build_paths import emptied_for_link
from linacre.kinds.ioc.files import ioc_files
from linacre.kinds.ioc.python_packages import remedy_for
from linacre.kinds.ioc.start_errors import errors_to_see_to
from linacre.kinds.ioc.unserved import labelled_unserved
from linacre.kinds.kind import Kind
from linacre.kinds.labelling import settings_text
from linacre.kinds.maker import Maker, devices_of, mounts_of
from linacre.kinds.rows import Column, Seen, columns
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.kinds.checking.model import Check

_START_SETTINGS = (
    *("kind", "start", "script", "module", "args", "environment"),
    *("access_security", "persistent", "hold_off", "log"),
)


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
    start_errors: int | None
    """How many errors its start script printed; None where that is unknown."""
    start_messages: tuple[str, ...]
    """The first of these errors."""
    unserved: str | None
    """Which records its databases declare that it does not serve, in words; None for none."""
    pvs: int | None
    files: str
    live: str
    """The machine that serves."""
    cable: str | None
    """The network that its cable is in, or `unplugged`; None where the engine has no cables."""
    twin: str | None
    """Its twin, where there is one."""
    green: bool
    """Whether all is as it should be: booted without errors, plugged in, no restart loop."""
    description: str
    owner: str
    area: str


class IocKind(Kind[Ioc, IocStatus]):
    """IOCs."""

    name = "ioc"
    section = IOCS
    traits = Traits(serves_pvs=True)
    has_twins = True
    columns = columns(
        "IOC",
        "ioc",
        Column("ERRORS", "start_errors"),
        Column("PVS", "pvs"),
        address=Column[IocStatus]("ADDRESS", "endpoint"),
    )

    async def spec(self, maker: Maker, name: str, item: Ioc) -> MachineSpec:
        """Return the machine of an IOC."""
        layout = maker.engine.layout(name, item.address)
        tree = await maker.fetched(item.source, whose=f"IOC {name}")
        _check_supported(maker.engine, name, item)
        linked = maker.has(Capability.FILE_SYSTEM)
        folder = maker.declaration.folder
        spec = maker.program(
            self,
            name,
            item,
            ioc_files(name, item, layout, tree, folder=folder, linked=linked),
            layout,
            origin=_origin(item, tree),
            settings=settings_text(item, *_START_SETTINGS),
            mounts=mounts_of(item.mounts),
            devices=devices_of(item.devices),
        )
        replaces = (*spec.payload.replaces, *emptied_for_link(item, layout, linked=linked))
        return replace(spec, payload=replace(spec.payload, replaces=replaces))

    def ports(self, item: Ioc) -> None:
        """Return None: an IOC tells itself that it serves."""

    async def is_here_to_stay(
        self, engine: Engine, name: str, found: IocReport, before: IocReport | None
    ) -> bool:
        """Tell that an IOC that has booted serves."""
        return True

    def remedy_for(self, last_words: str, engine: Engine) -> str | None:
        """Return what a Python IOC lacks."""
        return remedy_for(last_words, engine=engine.name)

    async def row(self, session: Session, name: str, item: Ioc, seen: Seen) -> IocStatus:
        """Return the row of an IOC."""
        errors = seen.report.start_errors
        unserved = labelled_unserved(seen.machine) if seen.report.booted else None
        is_right = errors_to_see_to(item, errors) is None
        is_right = is_right and (unserved is None or item.start_errors is not None)
        return IocStatus(
            name=name,
            kind=item.kind,
            host=seen.host,
            network=item.network or "",
            address=str(item.address),
            endpoint=str(session.engine.layout(seen.live, item.address).bind or item.address),
            machine=seen.machine_word(session),
            procserv=seen.procserv,
            ioc=seen.program_word(starting="booting"),
            started_at=seen.report.started_at,
            uptime_s=seen.uptime_s(session),
            starts=seen.report.starts,
            start_errors=errors.count if errors else None,
            start_messages=errors.told if errors else (),
            unserved=None if unserved is None else str(unserved),
            pvs=seen.report.pv_count,
            files=seen.files,
            live=seen.live,
            cable=seen.cable,
            twin=seen.twin,
            green=seen.is_well(item) and is_right,
            description=item.description,
            owner=item.owner,
            area=item.area,
        )

    def remarks(self, row: IocStatus) -> Iterator[str]:
        """Yield which of an IOC's two machines is live, and what is wrong with its start."""
        if row.twin is not None:
            yield f"{row.name}: {row.live} is live, {row.twin} is its twin"
        if row.start_messages and not row.green:
            yield f"{row.name}: its start script said: {row.start_messages[0]}"
        if row.unserved is not None:
            yield f"{row.name}: {row.unserved}"

    def checks(self) -> tuple[Check, ...]:
        """Return the checks of PVs."""
        from linacre.kinds.ioc.checks import CHECKS

        return CHECKS

    def what_is_lost(self, facility: Facility) -> str:
        """Return what a purge removes of IOCs, of which a facility mostly has some."""
        named = listed(facility.iocs, most=20)
        number = len(facility.iocs)
        return f"{number} IOC machines with their persistent folders and logs: {named}"


def _origin(ioc: Ioc, tree: SourceTree | None) -> str:
    """Return where an IOC's files come from, in words."""
    if tree is not None:
        return tree.origin
    return f"module {ioc.module if isinstance(ioc, PythonIoc) else None}"


def _check_supported(engine: Engine, name: str, ioc: Ioc) -> None:
    instead = f"take them out of {name}, or use the incus engine"
    if ioc.mounts:
        require(engine, Capability.MOUNTS, instead=instead)
    if ioc.devices:
        require(engine, Capability.DEVICES, instead=instead)
