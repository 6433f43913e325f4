"""From the declaration to machines: what each IOC and desk is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths
from linacre.engines.base import (
    Capability,
    Device,
    Engine,
    Limits,
    MachineKind,
    MachineSpec,
    Mount,
    NetworkSpec,
    Payload,
    PayloadFile,
    require,
)
from linacre.epics.layout import Layout
from linacre.facility import sources
from linacre.facility.addresses import mac_address
from linacre.facility.labelling import labels_of
from linacre.facility.load import Declaration
from linacre.facility.models import (
    DeviceSettings,
    Facility,
    Ioc,
    PythonIoc,
    desk_name,
)
from linacre.facility.payloads import hosts_file, ioc_files, system_files


@dataclass(frozen=True)
class Declared:
    """A declared facility as an engine will make it."""

    networks: tuple[NetworkSpec, ...]
    machines: tuple[MachineSpec, ...]
    after: Mapping[str, tuple[str, ...]]
    """For each machine of an IOC, those that must run before it starts."""
    iocs: Mapping[str, MachineSpec]
    """For each IOC, the machine that it would be if it were made now from its declaration."""

    def machine(self, name: str) -> MachineSpec:
        """Return one machine; `KeyError` where it is not declared."""
        return next(spec for spec in self.machines if spec.name == name)


async def declared_facility(
    declaration: Declaration, *, engine: Engine, paths: FacilityPaths, image: str | None
) -> Declared:
    """Return the networks and machines of a declaration.

    Raises `UserError` for what cannot be started as declared, `UnsupportedError` for what the
    engine cannot do.
    """
    maker = Maker(declaration, engine, paths, image)
    facility = declaration.facility
    networks = tuple(network_spec(facility, name) for name in facility.networks)
    await _check_uplinks(networks, declaration, engine)
    iocs = {name: await maker.ioc(name, ioc) for name, ioc in facility.iocs.items()}
    machines = [*iocs.values()]
    if Capability.DESK in engine.capabilities():
        machines += [maker.desk(network) for network in facility.networks]
    return Declared(
        networks=networks,
        machines=tuple(machines),
        after={name: tuple(ioc.after) for name, ioc in facility.iocs.items()},
        iocs=iocs,
    )


async def _check_uplinks(
    networks: tuple[NetworkSpec, ...], declaration: Declaration, engine: Engine
) -> None:
    instead = "take uplink out of {}, or use the incus engine on the host that has the interface"
    for network in networks:
        if network.uplink is None:
            continue
        require(engine, Capability.UPLINK, instead=instead.format(network.name))
        try:
            await engine.check_network(network)
        except UserError as error:
            key = ("networks", network.name, "uplink")
            raise UserError(f"{declaration.where(*key)}: {'.'.join(key)}: {error}") from error


def network_spec(facility: Facility, name: str) -> NetworkSpec:
    """Return a declared network as an engine makes it."""
    network = facility.networks[name]
    return NetworkSpec(name, network.subnet, network.host_address, network.uplink)


def _origin(ioc: Ioc, tree: sources.SourceTree | None) -> str:
    """Return where an IOC's files come from, in words."""
    if tree is not None:
        return tree.origin
    return f"module {ioc.module if isinstance(ioc, PythonIoc) else None}"


def _device(device: DeviceSettings) -> Device:
    if device.path is not None:
        return Device(path=Path(device.path))
    vendor, _, product = (device.usb or "").partition(":")
    return Device(usb_vendor=vendor, usb_product=product)


class Maker:
    """Makes the specs of one declaration for one engine."""

    def __init__(
        self, declaration: Declaration, engine: Engine, paths: FacilityPaths, image: str | None
    ) -> None:
        self._declaration = declaration
        self._facility = declaration.facility
        self._engine = engine
        self._paths = paths
        self._image = image

    async def ioc(self, name: str, ioc: Ioc) -> MachineSpec:
        """Return the machine of an IOC."""
        layout = self._engine.layout(name, ioc.address)
        folder, tree = self._declaration.folder, None
        if ioc.source is not None:
            tree = await sources.fetch(ioc.source, base=folder, paths=self._paths, ioc=name)
        self._check_supported(name, ioc)
        linked = Capability.FILE_SYSTEM in self._engine.capabilities()
        files = ioc_files(name, ioc, layout, tree, folder=folder, linked=linked)
        spec = self._machine(name, MachineKind.IOC, ioc.network or "", ioc.address, files, layout)
        spec = replace(
            spec,
            host=ioc.host,
            limits=Limits(
                cpu=ioc.limits.cpu,
                memory_bytes=None if ioc.limits.memory is None else int(ioc.limits.memory),
                processes=ioc.limits.processes,
            ),
            mounts=tuple(Mount(Path(each.host), each.path) for each in ioc.mounts),
            devices=tuple(_device(each) for each in ioc.devices),
        )
        return self._labelled(spec, origin=_origin(ioc, tree), ioc=ioc)

    def _check_supported(self, name: str, ioc: Ioc) -> None:
        instead = f"take them out of {name}, or use the incus engine"
        if ioc.mounts:
            require(self._engine, Capability.MOUNTS, instead=instead)
        if ioc.devices:
            require(self._engine, Capability.DEVICES, instead=instead)

    def desk(self, network: str) -> MachineSpec:
        """Return the desk machine of a network; its hosts file knows every IOC by name."""
        declared = self._facility.networks[network]
        name = desk_name(network)
        layout = self._engine.layout(name, declared.desk_address)
        files: list[PayloadFile] = []
        if Capability.FILE_SYSTEM in self._engine.capabilities():
            files.append(hosts_file(self._facility, network, layout))
        spec = self._machine(name, MachineKind.DESK, network, declared.desk_address, files, layout)
        return self._labelled(spec, origin="Linacre")

    def _labelled(self, spec: MachineSpec, *, origin: str, ioc: Ioc | None = None) -> MachineSpec:
        host = self._facility.networks[spec.network].host_address
        return replace(spec, labels=labels_of(spec, origin=origin, host_address=host, ioc=ioc))

    def _machine(
        self,
        name: str,
        kind: MachineKind,
        network: str,
        address: object,
        files: list[PayloadFile],
        layout: Layout,
    ) -> MachineSpec:
        declared = self._facility.networks[network]
        interface = IPv4Interface(f"{address}/{declared.subnet.prefixlen}")
        if Capability.FILE_SYSTEM in self._engine.capabilities():
            access = self._facility.access
            system = system_files(name, interface, layout, declared.gateway, access=access)
            files = [*files, *system]
        return MachineSpec(
            name=name,
            kind=kind,
            network=network,
            address=interface,
            gateway=declared.gateway,
            mac=mac_address(self._facility.facility, interface.ip),
            image=self._image,
            payload=Payload(tuple(files), (layout.tree, layout.etc)),
        )
