"""From a declaration to machines: what the specs of every kind are made with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linacre.base.paths import FacilityPaths
from linacre.declaration import sources
from linacre.declaration.load import Declaration
from linacre.declaration.models import (
    DeclaredMachine,
    DeviceSettings,
    Facility,
    LimitSettings,
    MountSettings,
    Source,
)
from linacre.engines.base import (
    Capability,
    Device,
    Engine,
    Limits,
    MachineSpec,
    Mount,
    Payload,
    PayloadFile,
    Traits,
)
from linacre.epics.layout import Layout
from linacre.kinds.addresses import mac_address
from linacre.kinds.files import system_files
from linacre.kinds.labelling import Labelled, labels_of

if TYPE_CHECKING:
    from linacre.kinds.kind import AnyKind

Names = Mapping[str, tuple[str, ...]]
"""For each pattern of PVs, the names that it means."""


@dataclass(frozen=True)
class Maker:
    """Makes the specs of one declaration for one engine."""

    declaration: Declaration
    engine: Engine
    paths: FacilityPaths
    image: str | None
    """The digest of the image of IOCs and desks; None for an engine without any."""
    names: Names = field(default_factory=dict[str, tuple[str, ...]])
    """What the patterns of all that is declared mean by the catalogue."""
    kinds: Collection[AnyKind] = ()
    only: frozenset[str] | None = None
    """What machines are wanted of; None is all that is declared, and the desks."""

    @property
    def facility(self) -> Facility:
        """What is declared."""
        return self.declaration.facility

    def wants(self, name: str) -> bool:
        """Tell whether the machine of what is declared under a name is wanted."""
        return self.only is None or name in self.only

    def has(self, capability: Capability) -> bool:
        """Tell whether the engine can do something."""
        return capability in self.engine.capabilities()

    async def fetched(self, source: Source | None, *, whose: str) -> sources.SourceTree | None:
        """Return the files that a source stands for; None for none."""
        if source is None:
            return None
        folder = self.declaration.folder
        return await sources.fetch(source, base=folder, paths=self.paths, whose=whose)

    def servers(self, network: str) -> Iterable[tuple[str, IPv4Address]]:
        """Return name and address of all that serves PVs on a network."""
        return (
            (name, item.address)
            for kind in self.kinds
            if kind.traits.serves_pvs
            for name, item in kind.declared(self.facility).items()
            if item.network == network
        )

    def program(
        self,
        kind: AnyKind,
        name: str,
        item: DeclaredMachine,
        files: list[PayloadFile],
        layout: Layout,
        *,
        origin: str,
        settings: str,
        **more: Any,
    ) -> MachineSpec:
        """Return the machine of a program; `more` are fields of its spec that only its kind has."""
        spec = self.machine(kind, name, item.network or "", item.address, files, layout)
        spec = replace(spec, host=item.host, limits=_limits(item.limits, kind.traits), **more)
        labelled = Labelled(
            settings=settings,
            after=tuple(item.after),
            ports=kind.ports(item),
            has_twins=kind.has_twins,
        )
        return self.labelled(spec, origin=origin, program=labelled)

    def machine(
        self,
        kind: AnyKind,
        name: str,
        network: str,
        address: IPv4Address,
        files: list[PayloadFile],
        layout: Layout,
    ) -> MachineSpec:
        """Return a machine with its files, which has no labels yet."""
        declared = self.facility.networks[network]
        interface = IPv4Interface(f"{address}/{declared.subnet.prefixlen}")
        if self.has(Capability.FILE_SYSTEM):
            access = self.facility.access
            system = system_files(name, interface, layout, declared.gateway, access=access)
            files = [*files, *system]
        return MachineSpec(
            name=name,
            kind=kind.name,
            network=network,
            address=interface,
            gateway=declared.gateway,
            mac=mac_address(self.facility.facility, interface.ip),
            image=self.image,
            payload=Payload(tuple(files), (layout.tree, layout.etc)),
            limits=Limits(processes=kind.traits.processes),
            traits=kind.traits,
        )

    def labelled(
        self, spec: MachineSpec, *, origin: str, program: Labelled | None = None
    ) -> MachineSpec:
        """Return a machine with its labels; `origin` says where its files come from."""
        host = self.facility.networks[spec.network].host_address
        labels = labels_of(spec, origin=origin, host_address=host, program=program)
        return replace(spec, labels=labels)


def _limits(limits: LimitSettings, traits: Traits) -> Limits:
    memory = None if limits.memory is None else int(limits.memory)
    disk = None if limits.disk is None else int(limits.disk)
    processes = traits.processes if limits.processes is None else limits.processes
    given = {"processes": processes, "open_files": limits.open_files}
    counts = {key: count for key, count in given.items() if count is not None}
    return Limits(cpu=limits.cpu, memory_bytes=memory, disk_bytes=disk, **counts)


def mounts_of(mounts: Iterable[MountSettings]) -> tuple[Mount, ...]:
    """Return declared mounts as an engine makes them."""
    return tuple(Mount(Path(each.host), each.path) for each in mounts)


def devices_of(devices: Iterable[DeviceSettings]) -> tuple[Device, ...]:
    """Return declared devices as an engine gives them to a machine."""
    return tuple(_device(each) for each in devices)


def _device(device: DeviceSettings) -> Device:
    if device.path is not None:
        return Device(path=Path(device.path))
    vendor, _, product = (device.usb or "").partition(":")
    return Device(usb_vendor=vendor, usb_product=product)
