"""How a service stands: a row for each, from its file, its engine and its machine."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.declaration.models import Service
from linacre.engines.base import Machine
from linacre.epics.report import IocReport
from linacre.session.session import Session

LEFT_OUT = "left out"


@dataclass(frozen=True)
class ServiceStatus:
    """One service."""

    name: str
    host: str
    network: str
    address: str
    machine: str
    """The machine's state; `left out` where the engine runs no services and this is optional."""
    procserv: str
    service: str
    started_at: float | None
    uptime_s: float | None
    starts: int
    ports: tuple[str, ...]
    closed: tuple[str, ...]
    """Those of its ports that nobody on the network reaches."""
    files: str
    cable: str | None
    """The network that its cable is in, or `unplugged`; None where the engine has no cables."""
    green: bool
    """Whether all is as it should be: running, its ports open, plugged in, no restart loop."""
    packages: tuple[str, ...]
    volumes: tuple[str, ...]
    description: str
    owner: str
    area: str


def service_row(
    session: Session,
    name: str,
    service: Service,
    *,
    machine: Machine | None,
    found: IocReport,
    closed: tuple[str, ...],
    files: str,
    cable: str | None,
    left_out: bool,
) -> ServiceStatus:
    """Return the row of a service from what was found of it."""
    state = str(machine.state) if machine else "stopped" if session.note else "absent"
    uptime = None if found.started_at is None else max(0.0, session.clock.now() - found.started_at)
    serves = found.booted and not found.restart_loop and cable in (None, service.network)
    return ServiceStatus(
        name=name,
        host=machine.host if machine else "-",
        network=service.network or "",
        address=str(service.address),
        machine=LEFT_OUT if left_out else state,
        procserv="up" if found.procserv_up else "down",
        service=program_word(found),
        started_at=found.started_at,
        uptime_s=uptime,
        starts=found.starts,
        ports=service.ports,
        closed=closed,
        files=files,
        cable=cable,
        green=left_out or serves,
        packages=service.packages,
        volumes=tuple(map(str, service.volumes)),
        description=service.description,
        owner=service.owner,
        area=service.area,
    )


def program_word(found: IocReport) -> str:
    """Return how the program of a service or an archiver does, in a word or two."""
    if found.restart_loop:
        return "restart loop"
    if found.booted:
        return "up"
    return "starting" if found.ioc_up else "down"
