"""From the declaration to machines: what each IOC, service and desk is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration import sources
from linacre.declaration.load import Declaration
from linacre.declaration.models import (
    SERVICE_TREE,
    Archiver,
    DeviceSettings,
    Facility,
    Ioc,
    LimitSettings,
    PythonIoc,
    Service,
    desk_name,
)
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
from linacre.engines.process.clients import client_environment
from linacre.epics.layout import Layout
from linacre.kinds.addresses import mac_address
from linacre.kinds.archiver.patterns import Names, archived_pvs, said_pvs
from linacre.kinds.archiver.payload import archiver_files, check_installed
from linacre.kinds.image import archiver_recipe, service_recipe
from linacre.kinds.ioc.build_paths import emptied_for_link
from linacre.kinds.labelling import labels_of
from linacre.kinds.payloads import hosts_file, ioc_files, service_files, system_files


@dataclass(frozen=True)
class Declared:
    """A declared facility as an engine will make it."""

    networks: tuple[NetworkSpec, ...]
    machines: tuple[MachineSpec, ...]
    after: Mapping[str, tuple[str, ...]]
    """For each machine of an IOC, a service or an archiver, those that must run before it."""
    iocs: Mapping[str, MachineSpec]
    """For each IOC, the machine that it would be if it were made now from its declaration."""
    left_out: tuple[str, ...] = ()
    """Optional services that the engine cannot run."""

    def machine(self, name: str) -> MachineSpec:
        """Return one machine; `KeyError` where it is not declared."""
        return next(spec for spec in self.machines if spec.name == name)


async def declared_facility(
    declaration: Declaration,
    *,
    engine: Engine,
    paths: FacilityPaths,
    image: str | None,
    names: Names | None = None,
) -> Declared:
    """Return the networks and machines of a declaration.

    `names` are the PVs that the patterns of archivers mean.

    Raises `UserError` for what cannot be started as declared, `UnsupportedError` for what the
    engine cannot do.
    """
    maker = Maker(declaration, engine, paths, image)
    facility = declaration.facility
    networks = tuple(network_spec(facility, name) for name in facility.networks)
    await _check_uplinks(networks, declaration, engine)
    iocs = {name: await maker.ioc(name, ioc) for name, ioc in facility.iocs.items()}
    left_out = _left_out(declaration, engine)
    services = [
        await maker.service(name, service)
        for name, service in facility.services.items()
        if name not in left_out
    ]
    archivers = [
        maker.archiver(name, archiver, names or {}) for name, archiver in facility.archivers.items()
    ]
    machines = [*iocs.values(), *services, *archivers]
    if Capability.DESK in engine.capabilities():
        machines += [maker.desk(network) for network in facility.networks]
    return Declared(
        networks=networks,
        machines=tuple(machines),
        after={
            name: tuple(earlier for earlier in each.after if earlier not in left_out)
            for name, each in facility.programs.items()
            if name not in left_out
        },
        iocs=iocs,
        left_out=left_out,
    )


def _left_out(declaration: Declaration, engine: Engine) -> tuple[str, ...]:
    """Return the services that this engine cannot run, all of them optional.

    Raises `UnsupportedError` for one that is not.
    """
    services = declaration.facility.services
    if Capability.SERVICES in engine.capabilities():
        return ()
    for name, service in services.items():
        if not service.optional:
            where = declaration.where("services", name)
            instead = (
                f"services.{name} ({where}) needs the incus engine; with `optional: true` it is "
                "left out where there is none"
            )
            require(engine, Capability.SERVICES, instead=instead)
    return tuple(services)


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


def _limits(limits: LimitSettings) -> Limits:
    memory = None if limits.memory is None else int(limits.memory)
    return Limits(cpu=limits.cpu, memory_bytes=memory, processes=limits.processes)


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
            tree = await sources.fetch(
                ioc.source, base=folder, paths=self._paths, whose=f"IOC {name}"
            )
        self._check_supported(name, ioc)
        linked = Capability.FILE_SYSTEM in self._engine.capabilities()
        files = ioc_files(name, ioc, layout, tree, folder=folder, linked=linked)
        spec = self._machine(name, MachineKind.IOC, ioc.network or "", ioc.address, files, layout)
        replaces = (*spec.payload.replaces, *emptied_for_link(ioc, layout, linked=linked))
        spec = replace(
            spec,
            payload=replace(spec.payload, replaces=replaces),
            host=ioc.host,
            limits=_limits(ioc.limits),
            mounts=tuple(Mount(Path(each.host), each.path) for each in ioc.mounts),
            devices=tuple(_device(each) for each in ioc.devices),
        )
        return self._labelled(spec, origin=_origin(ioc, tree), program=ioc)

    async def service(self, name: str, service: Service) -> MachineSpec:
        """Return the machine of a service."""
        layout = replace(self._engine.layout(name, service.address), tree=SERVICE_TREE)
        folder, tree = self._declaration.folder, None
        if service.source is not None:
            tree = await sources.fetch(
                service.source, base=folder, paths=self._paths, whose=f"service {name}"
            )
        files = service_files(name, service, layout, tree, folder=folder)
        network = service.network or ""
        spec = self._machine(name, MachineKind.SERVICE, network, service.address, files, layout)
        spec = replace(
            spec,
            host=service.host,
            image=self._image and service_recipe(service).digest(),
            limits=_limits(service.limits),
            mounts=tuple(Mount(Path(each.host), each.path) for each in service.mounts),
            devices=tuple(_device(each) for each in service.devices),
        )
        origin = tree.origin if tree is not None else "the facility file"
        return self._labelled(spec, origin=origin, program=service)

    def archiver(self, name: str, archiver: Archiver, names: Names) -> MachineSpec:
        """Return the machine of an archiver."""
        layout = self._engine.layout(name, archiver.address)
        said = said_pvs(archiver, self._declaration.folder)
        files = archiver_files(
            name,
            archiver,
            layout,
            pvs=archived_pvs(said, names, protocol=archiver.protocol),
            clients=self._clients(archiver.network or ""),
        )
        network = archiver.network or ""
        spec = self._machine(name, MachineKind.ARCHIVER, network, archiver.address, files, layout)
        spec = replace(
            spec,
            host=archiver.host,
            image=self._image and archiver_recipe().digest(),
            limits=_limits(archiver.limits),
            volume_bytes=int(archiver.disk),
        )
        return self._labelled(spec, origin="the facility file", program=archiver)

    def _clients(self, network: str) -> dict[str, str] | None:
        """Return how a client finds the IOCs of a network where it cannot search by broadcast."""
        if Capability.BROADCAST in self._engine.capabilities():
            return None
        check_installed()
        iocs = self._facility.iocs.items()
        binds = [
            self._engine.layout(n, ioc.address).bind for n, ioc in iocs if ioc.network == network
        ]
        return client_environment(bind for bind in binds if bind is not None)

    def _check_supported(self, name: str, ioc: Ioc) -> None:
        instead = f"take them out of {name}, or use the incus engine"
        if ioc.mounts:
            require(self._engine, Capability.MOUNTS, instead=instead)
        if ioc.devices:
            require(self._engine, Capability.DEVICES, instead=instead)

    def desk(self, network: str) -> MachineSpec:
        """Return the desk machine of a network; its hosts file knows IOCs and services by name."""
        declared = self._facility.networks[network]
        name = desk_name(network)
        layout = self._engine.layout(name, declared.desk_address)
        files: list[PayloadFile] = []
        if Capability.FILE_SYSTEM in self._engine.capabilities():
            files.append(hosts_file(self._facility, network, layout))
        spec = self._machine(name, MachineKind.DESK, network, declared.desk_address, files, layout)
        return self._labelled(spec, origin="Linacre")

    def _labelled(
        self, spec: MachineSpec, *, origin: str, program: Ioc | Service | Archiver | None = None
    ) -> MachineSpec:
        host = self._facility.networks[spec.network].host_address
        labels = labels_of(spec, origin=origin, host_address=host, program=program)
        return replace(spec, labels=labels)

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
