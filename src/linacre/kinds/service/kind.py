"""Services: any program of Debian's or the facility's own, with packages and files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from linacre.declaration.models import SERVICE_TREE, SERVICES, Facility, Service
from linacre.engines.base import Capability, MachineSpec
from linacre.kinds.kind import Kind
from linacre.kinds.labelling import settings_text
from linacre.kinds.maker import Maker, devices_of, mounts_of
from linacre.kinds.rows import Column, Seen, columns
from linacre.kinds.service.files import service_files
from linacre.kinds.service.ports import closed_ports
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.images.recipe import Recipe

_START_SETTINGS = ("environment", "command", "user", "volumes", "hold_off", "log")


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


def _ports(row: ServiceStatus) -> list[str]:
    return [f"{port} closed" if port in row.closed else port for port in row.ports]


class ServiceKind(Kind[Service, ServiceStatus]):
    """Services."""

    name = "service"
    section = SERVICES
    needs = Capability.SERVICES
    columns = columns("service", "service", Column("PORTS", "ports", _ports))

    async def spec(self, maker: Maker, name: str, item: Service) -> MachineSpec:
        """Return the machine of a service."""
        layout = replace(maker.engine.layout(name, item.address), tree=SERVICE_TREE)
        tree = await maker.fetched(item.source, whose=f"service {name}")
        return maker.program(
            self,
            name,
            item,
            service_files(name, item, layout, tree, folder=maker.declaration.folder),
            layout,
            origin=tree.origin if tree is not None else "the facility file",
            settings=settings_text(item, *_START_SETTINGS),
            image=maker.image and self.recipe(item).digest(),
            mounts=mounts_of(item.mounts),
            devices=devices_of(item.devices),
        )

    def is_optional(self, item: Service) -> bool:
        """Tell whether a service is said to be optional."""
        return item.optional

    def recipe(self, item: Service) -> Recipe:
        """Return the recipe of a service's image: the IOCs' with the service's packages."""
        # Of no use to what only looks.
        from linacre.kinds.image import base_recipe

        return base_recipe().with_packages(item.packages)

    def packages(self, item: Service) -> tuple[str, ...]:
        """Return the packages of a service."""
        return item.packages

    def ports(self, item: Service) -> tuple[str, ...]:
        """Return the ports of a service."""
        return item.ports

    async def row(self, session: Session, name: str, item: Service, seen: Seen) -> ServiceStatus:
        """Return the row of a service."""
        closed = item.ports
        if seen.report.procserv_up:
            found = await closed_ports(session.engine, seen.live, item.ports)
            closed = tuple(each.port for each in found)
        return ServiceStatus(
            name=name,
            host=seen.host,
            network=item.network or "",
            address=str(item.address),
            machine=seen.machine_word(session),
            procserv=seen.procserv,
            service=seen.program_word(),
            started_at=seen.report.started_at,
            uptime_s=seen.uptime_s(session),
            starts=seen.report.starts,
            ports=item.ports,
            closed=closed,
            files=seen.files,
            cable=seen.cable,
            green=seen.left_out or seen.is_well(item),
            packages=item.packages,
            volumes=tuple(map(str, item.volumes)),
            description=item.description,
            owner=item.owner,
            area=item.area,
        )

    def what_is_lost(self, facility: Facility) -> str | None:
        """Return what a purge removes of services."""
        kept = [
            f"{name} ({', '.join(map(str, each.volumes))})" if each.volumes else name
            for name, each in facility.services.items()
        ]
        return (
            f"{len(kept)} services with their volumes and logs: {', '.join(kept)}" if kept else None
        )
