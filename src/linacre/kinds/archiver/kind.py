"""Archivers: they keep the history of PVs, by a program of Linacre's own, made on demand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from linacre.base.listing import listed
from linacre.declaration.models import ARCHIVER_PORT, ARCHIVERS, Archiver, Facility
from linacre.declaration.models.archiver_values import time_text
from linacre.engines.base import Capability, Engine, MachineSpec, Part, Traits
from linacre.epics.clients import client_environment
from linacre.epics.report import IocReport
from linacre.kinds.archiver.files import archiver_files, check_installed
from linacre.kinds.archiver.http import answers, tell
from linacre.kinds.archiver.patterns import (
    WHY_NOT_ARCHIVED,
    archived_pvs,
    left_out,
    patterns_of,
    said_pvs,
)
from linacre.kinds.kind import CLIENT_PROCESSES, Kind
from linacre.kinds.labelling import settings_text
from linacre.kinds.maker import Maker, Names
from linacre.kinds.rows import Column, Seen, columns
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.images.recipe import Recipe
    from linacre.kinds.checking.model import Check

# Of the 1024 that every other machine and program has. The kernel lets what runs go on for up to
# 4 ms although another wakes; with so little weight it does not, see decision 0014: what an
# archiver does in its allowance would hold an IOC that wakes up for a whole turn of the scheduler.
_SHARES = 32
_START_SETTINGS = ("owner", "disk", "retention", "hold_off", "log", "limits.memory")
"""What its program is told when it starts, and not while it runs."""


@dataclass(frozen=True)
class ArchiverStatus:
    """One archiver, without being asked itself: `linacre archiver list` does that."""

    name: str
    host: str
    network: str
    address: str
    url: str
    """Where it answers, as seen from this host."""
    machine: str
    procserv: str
    archiver: str
    started_at: float | None
    uptime_s: float | None
    starts: int
    files: str
    cable: str | None
    """The network that its cable is in, or `unplugged`; None where the engine has no cables."""
    green: bool
    """Whether all is as it should be: running, its port open, plugged in, no restart loop."""
    pvs: tuple[str, ...]
    """What stands in the facility file: names and patterns."""
    until: str | None
    """When it takes its last sample, as declared."""
    has_ended: bool
    disk_bytes: int
    description: str
    owner: str
    area: str


def archiver_url(session: Session, name: str, archiver: Archiver) -> str:
    """Return where an archiver answers, as seen from this host."""
    bind = session.engine.layout(name, archiver.address).bind
    return f"http://{bind or archiver.address}:{ARCHIVER_PORT}/"


def _place(row: ArchiverStatus) -> str:
    return row.url.removeprefix("http://").rstrip("/")


def _end(row: ArchiverStatus) -> str | None:
    return f"ended {row.until}" if row.has_ended else row.until


class ArchiverKind(Kind[Archiver, ArchiverStatus]):
    """Archivers."""

    name = "archiver"
    section = ARCHIVERS
    traits = Traits(cpu_shares=_SHARES, processes=CLIENT_PROCESSES)
    keeps_data = True
    names_addresses = True
    told = ("PVs", "end")
    look_again_s = 0.05
    # Its weight is a third of an IOC's: where the host is busy it gets what the others leave.
    patience = 4.0
    columns = columns(
        "archiver",
        "archiver",
        Column("END", "until", _end),
        address=Column("ADDRESS", "url", _place),
    )

    async def spec(self, maker: Maker, name: str, item: Archiver) -> MachineSpec:
        """Return the machine of an archiver."""
        layout = maker.engine.layout(name, item.address)
        said = said_pvs(item, maker.declaration.folder)
        files = archiver_files(
            name,
            item,
            layout,
            pvs=archived_pvs(said, maker.names, protocol=item.protocol),
            clients=_clients(maker, item.network or ""),
        )
        return maker.program(
            self,
            name,
            item,
            files,
            layout,
            origin="the facility file",
            settings=settings_text(item, *_START_SETTINGS),
            image=maker.image and self.recipe(item).digest(),
            volume_bytes=int(item.disk),
        )

    def patterns(self, item: Archiver, folder: Path) -> tuple[str, ...]:
        """Return the patterns among what an archiver is to archive."""
        return patterns_of(said_pvs(item, folder))

    def notes(self, name: str, item: Archiver, folder: Path, names: Names) -> Iterator[str]:
        """Yield which PVs a pattern means that cannot be archived."""
        if odd := left_out(said_pvs(item, folder), names):
            yield f"{name} does not archive {listed(odd)}: {WHY_NOT_ARCHIVED}"

    def checks(self) -> tuple[Check, ...]:
        """Return the checks of what archivers are to archive."""
        from linacre.kinds.archiver.checks import CHECKS

        return CHECKS

    def recipe(self, item: Archiver) -> Recipe:
        """Return the recipe of the image of archivers."""
        return self.recipe_on_demand()

    def recipe_on_demand(self) -> Recipe:
        """Return the recipe of the image of archivers: one is made before it is declared."""
        # Of no use to what only looks.
        from linacre.kinds.image import archiver_recipe

        return archiver_recipe()

    def ports(self, item: Archiver) -> tuple[str, ...]:
        """Return the port on which archivers answer."""
        return item.ports

    async def is_here_to_stay(
        self, engine: Engine, name: str, found: IocReport, before: IocReport | None
    ) -> bool:
        """Tell whether an archiver answers a request: its port is open before it can."""
        return await answers(engine, name)

    async def reload(self, engine: Engine, spec: MachineSpec) -> None:
        """Tell an archiver that runs its PVs and its end."""
        told = next(file.data for file in spec.payload.files if file.part is Part.RELOADABLE)
        await tell(engine, spec.name, (told or b"").decode())

    async def row(self, session: Session, name: str, item: Archiver, seen: Seen) -> ArchiverStatus:
        """Return the row of an archiver."""
        until = item.until
        return ArchiverStatus(
            name=name,
            host=seen.host,
            network=item.network or "",
            address=str(item.address),
            url=archiver_url(session, name, item),
            machine=seen.machine_word(session),
            procserv=seen.procserv,
            archiver=seen.program_word(),
            started_at=seen.report.started_at,
            uptime_s=seen.uptime_s(session),
            starts=seen.report.starts,
            files=seen.files,
            cable=seen.cable,
            green=seen.is_well(item),
            pvs=item.pvs,
            until=time_text(until),
            has_ended=until is not None and until.timestamp() <= session.clock.now(),
            disk_bytes=int(item.disk),
            description=item.description,
            owner=item.owner,
            area=item.area,
        )

    def what_is_lost(self, facility: Facility) -> str | None:
        """Return what a purge removes of archivers."""
        archivers = facility.archivers
        return (
            f"{len(archivers)} archivers with their data: {', '.join(archivers)}"
            if archivers
            else None
        )


def _clients(maker: Maker, network: str) -> dict[str, str] | None:
    """Return how a client finds the IOCs of a network where it cannot search by broadcast."""
    if maker.has(Capability.BROADCAST):
        return None
    check_installed()
    binds = [maker.engine.layout(name, address).bind for name, address in maker.servers(network)]
    return client_environment(bind for bind in binds if bind is not None)
