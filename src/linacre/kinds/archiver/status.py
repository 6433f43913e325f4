"""How an archiver stands: a row for each, from its file, its engine and its machine."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.declaration.models import ARCHIVER_PORT, Archiver
from linacre.declaration.models.archiver_values import time_text
from linacre.engines.base import Machine
from linacre.epics.report import IocReport
from linacre.kinds.service.status import program_word
from linacre.session.session import Session


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


def archiver_row(
    session: Session,
    name: str,
    archiver: Archiver,
    *,
    machine: Machine | None,
    found: IocReport,
    files: str,
    cable: str | None,
) -> ArchiverStatus:
    """Return the row of an archiver from what was found of it."""
    now, until = session.clock.now(), archiver.until
    return ArchiverStatus(
        name=name,
        host=machine.host if machine else "-",
        network=archiver.network or "",
        address=str(archiver.address),
        url=archiver_url(session, name, archiver),
        machine=str(machine.state) if machine else "stopped" if session.note else "absent",
        procserv="up" if found.procserv_up else "down",
        archiver=program_word(found),
        started_at=found.started_at,
        uptime_s=None if found.started_at is None else max(0.0, now - found.started_at),
        starts=found.starts,
        files=files,
        cable=cable,
        green=found.booted and not found.restart_loop and cable in (None, archiver.network),
        pvs=archiver.pvs,
        until=time_text(until),
        has_ended=until is not None and until.timestamp() <= now,
        disk_bytes=int(archiver.disk),
        description=archiver.description,
        owner=archiver.owner,
        area=archiver.area,
    )
