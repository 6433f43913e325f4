"""The process engine: IOCs as processes of this host, each on its own loopback address."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection, Mapping
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import NoReturn

import linacre.epics
from linacre.base.clock import Clock, SystemClock
from linacre.base.ending import end
from linacre.base.errors import UnsupportedError
from linacre.base.paths import FacilityPaths
from linacre.engines.base import (
    Capability,
    Host,
    Machine,
    MachineSpec,
    NetworkSpec,
    Space,
    Wiring,
)
from linacre.engines.process import commands, processes
from linacre.engines.process.addresses import check_distinct, loopback_address
from linacre.engines.process.clients import lay_tools
from linacre.engines.process.files import change_json, read_json, remove_tree
from linacre.engines.process.folder import drop_short_links
from linacre.engines.process.machines import Machines, host_name
from linacre.engines.process.program import GUEST, MARK, ioc_environment
from linacre.engines.process.reach import Reach
from linacre.epics.layout import Layout

_SOFTIOC = Path(linacre.epics.__file__).parent / "bin" / "softIoc"
_INSTEAD = "the incus engine does: declare engine: incus"


class ProcessEngine(Reach):
    """Runs the IOCs of one facility without root and without containers."""

    def __init__(self, facility: str, paths: FacilityPaths, *, clock: Clock | None = None) -> None:
        self._root = paths.machines.absolute()
        self._clock = clock or SystemClock()
        super().__init__(Machines(facility, self._root, clock=self._clock))

    @property
    def name(self) -> str:
        """The engine's name, as written in the facility file."""
        return "process"

    def capabilities(self) -> frozenset[Capability]:
        """Return what this engine can do."""
        return frozenset(
            {
                Capability.STANDARD_PORTS,
                Capability.CONSOLE,
                Capability.DESK,
                Capability.NO_ROOT,
            }
        )

    @property
    def wiring(self) -> Wiring:
        """Raise `UnsupportedError`: there are no cables."""
        self._refuse(Capability.CABLES)

    def layout(self, machine: str, address: IPv4Address) -> Layout:
        """Return where things stand in a machine; `UserError` for an address that has no place."""
        folder = self._machines.folder(machine)
        return Layout(
            tree=PurePosixPath(folder.tree),
            persist=PurePosixPath(folder.persist),
            run=PurePosixPath(folder.run),
            log=PurePosixPath(folder.log),
            etc=PurePosixPath(folder.etc),
            bind=loopback_address(address),
            user=None,
            softioc=str(_SOFTIOC),
            python=sys.executable,
        )

    async def open(self) -> None:
        """Do nothing: there is no daemon."""

    async def close(self) -> None:
        """Do nothing; machines go on."""

    async def exists(self) -> bool:
        """Tell whether there is anything of the facility here."""
        return self._root.is_dir()

    async def prepare(self) -> None:
        """Make the folder of the machines; `EngineError` where a needed program is missing."""
        commands.check_installed()
        self._root.mkdir(parents=True, exist_ok=True)

    async def record(self) -> dict[str, str]:
        """Return the facility's record, or {} where there is none."""
        return {k: str(v) for k, v in (read_json(self._record) or {}).items()}

    async def set_record(self, values: Mapping[str, str | None]) -> None:
        """Change entries of the facility's record; None removes one."""
        change_json(self._record, values)

    async def hosts(self) -> list[Host]:
        """Return this host."""
        return [Host(host_name(), online=True, description=f"this host, {os.cpu_count()} cores")]

    async def machines(self, names: Collection[str] | None = None) -> list[Machine]:
        """Return the machines of the facility; after the host's restart all are stopped."""
        return self._machines.found(names)

    async def networks(self) -> list[str]:
        """Return the networks that were declared; all stand on the loopback."""
        return sorted(read_json(self._networks) or {})

    async def check_network(self, network: NetworkSpec) -> None:
        """Raise `UnsupportedError` where it has an uplink: all networks are the loopback."""
        if network.uplink is not None:
            self._refuse(Capability.UPLINK)

    async def ensure_network(self, network: NetworkSpec) -> None:
        """Note a network."""
        change_json(self._networks, {network.name: str(network.subnet)})

    async def remove_network(self, name: str) -> None:
        """Forget a network; none there is no error."""
        if name in (read_json(self._networks) or {}):
            change_json(self._networks, {name: None})

    async def ensure_image(self, digest: str, path: Path) -> None:
        """Raise `UnsupportedError`: processes run from the host's own file system."""
        self._refuse(Capability.FILE_SYSTEM)

    async def create(self, spec: MachineSpec, *, persistent_from: str | None = None) -> None:
        """Make a machine, not started; one half made is made anew, its persistent folder kept.

        `UnsupportedError` for mounts and devices; limits are not held. `UserError` where another
        machine has the same loopback address.
        """
        await self._make(spec)

    async def update(self, spec: MachineSpec) -> None:
        """Bring payload and labels of a machine to the spec, running or not."""
        self._machines.manifest(spec.name)
        await self._make(spec)

    async def rebuild(self, spec: MachineSpec) -> None:
        """Raise `UnsupportedError`: there is no image."""
        self._refuse(Capability.REBUILD)

    async def delete(self, name: str, *, keep_persistent: bool = False) -> None:
        """Remove a machine, running or not; none there is no error."""
        folder = self._machines.folder(name)
        await self._machines.program(folder).stop(timeout_s=10.0)
        await asyncio.to_thread(folder.clear, keep_persistent=keep_persistent)

    async def start(self, name: str) -> None:
        """Start the IOC's procServ; one that runs is left alone, and so is a desk.

        `EngineError` where a standard port of its address is taken: the line says by whom.
        """
        manifest = self._machines.manifest(name)
        if manifest.traits.runs_program:
            environment = ioc_environment() | self._machines.clients(manifest.network)
            await self._machines.program(self._machines.folder(name)).start(
                address=loopback_address(manifest.address), environment=environment
            )

    async def stop(self, name: str, *, timeout_s: float = 10.0) -> None:
        """Stop procServ and all below it, at the latest by SIGKILL."""
        if self._machines.manifest(name).traits.runs_program:
            await self._machines.program(self._machines.folder(name)).stop(timeout_s=timeout_s)

    async def restart_program(self, name: str) -> None:
        """Stop and start the IOC with its procServ."""
        await self.stop(name)
        await self.start(name)

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Change labels of a machine, leaving the others."""
        self._machines.folder(name).set_labels(labels)

    async def space(self) -> list[Space]:
        """Return nothing: machines have the room of the host's own file system."""
        return []

    async def used(self, machines: Collection[str]) -> dict[str, tuple[Space, ...]]:
        """Return nothing: what machines write has no ceiling of their own."""
        return {}

    async def client_environment(self, network: str) -> dict[str, str]:
        """Return the EPICS variables with which a client on this host reaches a network."""
        return self._machines.clients(network)

    async def shut_down(self) -> None:
        """Do nothing: there is no daemon."""

    async def purge(self) -> None:
        """End every process of the facility and remove all folders of its machines."""
        for folder in self._machines.folders():
            await self._machines.program(folder).stop(timeout_s=10.0)
            await asyncio.to_thread(folder.clear, keep_persistent=False)
        # People's commands, and the IOCs of machines whose folder somebody removed by hand.
        root = f"{self._root}{os.sep}"
        for mark in (MARK, GUEST):
            left = await processes.in_thread(mark, lambda value: value.startswith(root))
            await end(left, clock=self._clock, timeout_s=1.0)
        if self._root.exists():
            await asyncio.to_thread(remove_tree, self._root)
        drop_short_links(self._root)

    @property
    def _record(self) -> Path:
        return self._root / "record.json"

    @property
    def _networks(self) -> Path:
        return self._root / "networks.json"

    async def _make(self, spec: MachineSpec) -> None:
        if spec.mounts:
            self._refuse(Capability.MOUNTS)
        if spec.devices:
            self._refuse(Capability.DEVICES)
        folder = self._machines.folder(spec.name)
        if spec.traits.runs_program:
            made = [m for _, m in self._machines.made() if m.traits.runs_program]
            check_distinct(spec.name, spec.address.ip, {m.name: m.address for m in made})
        if folder.manifest() is None:
            await self._machines.program(folder).stop(timeout_s=10.0)
        await asyncio.to_thread(folder.make, spec)
        if not spec.traits.runs_program:
            await asyncio.to_thread(lay_tools, folder.bin)

    def _refuse(self, capability: Capability) -> NoReturn:
        raise UnsupportedError(engine=self.name, what=capability.value, instead=_INSTEAD)
