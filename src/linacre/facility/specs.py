"""From the declaration to machines: what each IOC and desk is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path, PurePosixPath

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
    Part,
    Payload,
    PayloadFile,
    require,
)
from linacre.epics.launch import Program, ProgramKind, make_scripts
from linacre.epics.layout import Layout
from linacre.facility import sources
from linacre.facility.addresses import mac_address
from linacre.facility.labels import (
    ACCESS_DIGEST,
    ADDRESS,
    AFTER,
    DECLARED_DIGEST,
    IMAGE,
    IOC,
    KIND,
    NETWORK,
    NIC_DIGEST,
    ORIGIN,
    PROGRAM_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.facility.load import Declaration
from linacre.facility.models import (
    DeviceSettings,
    Facility,
    Ioc,
    PythonIoc,
    desk_name,
)

_ACCESS_FILE = ".linacre/access.acf"


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


def program_of(name: str, ioc: Ioc, *, access_security: str | None) -> Program:
    """Return how an IOC is started."""
    start = "" if isinstance(ioc, PythonIoc) else str(ioc.start)
    if isinstance(ioc, PythonIoc) and ioc.script is not None:
        start = str(ioc.script)
    return Program(
        name=name,
        kind=ProgramKind(ioc.kind),
        start=start,
        module=ioc.module if isinstance(ioc, PythonIoc) else None,
        args=tuple(ioc.args) if isinstance(ioc, PythonIoc) else (),
        environment=ioc.environment,
        access_security=access_security,
        persistent=tuple(str(folder) for folder in ioc.persistent),
        hold_off_s=int(ioc.hold_off),
        log_bytes=int(ioc.log.size),
        log_files=ioc.log.files,
    )


def _text(path: PurePosixPath, text: str, *, mode: int = 0o644, part: Part) -> PayloadFile:
    return PayloadFile(path, data=text.encode(), mode=mode, part=part)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


_START_SETTINGS = {
    *("kind", "start", "script", "module", "args", "environment"),
    *("access_security", "persistent", "hold_off", "log"),
}


def _start_settings(ioc: Ioc) -> str:
    """Return what is declared of how an IOC starts.

    Defaults are left out, so that a newer Linacre that knows more settings restarts nothing.
    """
    return ioc.model_dump_json(include=_START_SETTINGS, exclude_defaults=True)


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
        tree = None
        if ioc.source is not None:
            tree = await sources.fetch(
                ioc.source, base=self._declaration.folder, paths=self._paths, ioc=name
            )
        self._check_supported(name, ioc)
        files = [PayloadFile(layout.tree, mode=0o755)]
        if tree is not None:
            files += [
                PayloadFile(
                    layout.tree / each.path,
                    source=None if each.link else each.file,
                    link=each.link,
                    mode=each.mode,
                )
                for each in sources.walk(tree.folder)
            ]
        access, access_files = self._access_security(ioc, layout, tree)
        program = program_of(name, ioc, access_security=access)
        scripts = make_scripts(program, layout, first_line=self._first_line(name, ioc, tree))
        files += access_files
        files += [_text(s.path, s.text, mode=s.mode, part=Part.SCRIPTS) for s in scripts]
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
        origin = tree.origin if tree else f"module {program.module}"
        return self._labelled(
            spec, origin=origin, settings=_start_settings(ioc), ioc=name, after=tuple(ioc.after)
        )

    def _check_supported(self, name: str, ioc: Ioc) -> None:
        instead = f"take them out of {name}, or use the incus engine"
        if ioc.mounts:
            require(self._engine, Capability.MOUNTS, instead=instead)
        if ioc.devices:
            require(self._engine, Capability.DEVICES, instead=instead)

    def _first_line(self, name: str, ioc: Ioc, tree: sources.SourceTree | None) -> str | None:
        """Return the first line of the start script; a git source is first seen here."""
        if tree is None or (isinstance(ioc, PythonIoc) and ioc.script is None):
            return None
        start = ioc.script if isinstance(ioc, PythonIoc) else ioc.start
        assert start is not None
        file = tree.folder / start
        if not file.is_file():
            raise UserError(f"IOC {name}: {tree.origin} has no {start}; write a file that it has")
        with file.open("rb") as opened:
            return opened.readline(512).decode(errors="replace").rstrip("\n")

    def _access_security(
        self, ioc: Ioc, layout: Layout, tree: sources.SourceTree | None
    ) -> tuple[str | None, list[PayloadFile]]:
        """Return the access security file's path in the tree, and what lays it there."""
        if ioc.access_security is None:
            return None, []
        beside = self._declaration.folder / ioc.access_security
        if not beside.is_file() and tree is not None:
            return ioc.access_security, []
        path = layout.tree / _ACCESS_FILE
        return _ACCESS_FILE, [
            PayloadFile(path.parent, mode=0o755),
            PayloadFile(path, source=beside),
        ]

    def desk(self, network: str) -> MachineSpec:
        """Return the desk machine of a network; its hosts file knows every IOC by name."""
        declared = self._facility.networks[network]
        name = desk_name(network)
        hosts = ["127.0.0.1 localhost", f"{declared.desk_address} {name}"]
        hosts += [f"{ioc.address} {each}" for each, ioc in self._facility.iocs.items()]
        layout = self._engine.layout(name, declared.desk_address)
        files = [_text(layout.etc / "hosts", "\n".join(hosts) + "\n", part=Part.ACCESS)]
        if Capability.FILE_SYSTEM not in self._engine.capabilities():
            files = []
        spec = self._machine(name, MachineKind.DESK, network, declared.desk_address, files, layout)
        return self._labelled(spec, origin="Linacre")

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
            files = [*files, *self._system_files(name, interface, network, layout)]
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

    def _system_files(
        self, name: str, interface: IPv4Interface, network: str, layout: Layout
    ) -> list[PayloadFile]:
        access = self._facility.access
        settings = (
            f"ADDRESS={interface}\n"
            f"BROADCAST={interface.network.broadcast_address}\n"
            f"GATEWAY={self._facility.networks[network].gateway or ''}\n"
        )
        keys = "".join(f"{key}\n" for key in access.ssh_keys)
        files = [
            PayloadFile(layout.etc, mode=0o755, part=Part.ACCESS),
            _text(layout.etc / "hostname", f"{name}\n", part=Part.ACCESS),
            _text(layout.etc / "network", settings, part=Part.ACCESS),
            PayloadFile(PurePosixPath("/root/.ssh"), mode=0o700, part=Part.ACCESS),
            _text(PurePosixPath("/root/.ssh/authorized_keys"), keys, mode=0o600, part=Part.ACCESS),
        ]
        if access.telnet is not None:
            line = f"{access.telnet.user} {access.telnet.password_hash}\n"
            files.append(_text(layout.etc / "telnet", line, mode=0o600, part=Part.ACCESS))
        return files

    def _router_of_its_own(self, spec: MachineSpec) -> tuple[str, ...]:
        """Return the gateway where it is not the host: machines take a new one when they start."""
        host = self._facility.networks[spec.network].host_address
        return () if spec.gateway in (None, host) else (str(spec.gateway),)

    def _labelled(
        self,
        spec: MachineSpec,
        *,
        origin: str,
        settings: str = "",
        ioc: str | None = None,
        after: tuple[str, ...] = (),
    ) -> MachineSpec:
        devices = (spec.limits, spec.mounts, spec.devices)
        program = _digest(spec.payload.digest(Part.PROGRAM), settings)
        own = {IOC: ioc or "", AFTER: " ".join(after), DECLARED_DIGEST: program}
        labels = {
            **({} if ioc is None else own),
            KIND: str(spec.kind),
            NETWORK: spec.network,
            ADDRESS: str(spec.address.ip),
            PROGRAM_DIGEST: program,
            ACCESS_DIGEST: spec.payload.digest(Part.ACCESS),
            SETTINGS_DIGEST: _digest(*(repr(each) for each in devices), after),
            NIC_DIGEST: _digest(
                spec.network, str(spec.address), spec.mac, *self._router_of_its_own(spec)
            ),
            ORIGIN: origin,
            IMAGE: spec.image or "",
        }
        return replace(spec, labels=labels)
