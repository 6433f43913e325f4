"""The Incus engine: machines are system containers of one project."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.clock import SystemClock
from linacre.base.errors import EngineError, UnsupportedError
from linacre.base.paths import FacilityPaths
from linacre.engines.base import (
    Capability,
    Host,
    Machine,
    MachineSpec,
    MachineState,
    NetworkSpec,
    Space,
)
from linacre.engines.incus import access, machines, storage, supervise, uplink
from linacre.engines.incus.cable import BRIDGE, Cables, bridge_name
from linacre.engines.incus.claims import refuse_taken
from linacre.engines.incus.connection import Connection, IncusSettings
from linacre.engines.incus.instances import Instances
from linacre.engines.incus.networks import Networks
from linacre.engines.incus.pool import Pool
from linacre.engines.incus.project import Project
from linacre.engines.incus.reach import Reach
from linacre.engines.incus.walls import Walls
from linacre.engines.incus.walls_parts import Gate
from linacre.engines.incus.wiring import IncusWiring, plugged
from linacre.engines.labels import recorded_networks
from linacre.epics.layout import Layout

_DELETES_AT_ONCE = 8
_ENDING_TRIES, _ENDING_PERIOD_S = 25, 0.2
CAPABILITIES = frozenset(Capability) - {Capability.NO_ROOT}


class IncusEngine(Reach):
    """System containers through Incus: the system's daemon, a remote one, or an embedded one."""

    name = "incus"

    def __init__(self, facility: str, paths: FacilityPaths, settings: IncusSettings) -> None:
        self._cables = Cables(facility, paths.cables)
        self._walls = Walls(facility, paths.cables)
        super().__init__(Connection(facility, paths, settings, inits=self._cables.inits))
        self._facility = facility
        self._pool = Pool(self._connection, size_bytes=settings.pool_bytes)
        self._paths = paths
        self._settings = settings

    def capabilities(self) -> frozenset[Capability]:
        """Return what this engine can do; the host of a daemon elsewhere cannot be touched."""
        far = frozenset({Capability.CABLES, Capability.UPLINK})
        return CAPABILITIES - far if self._settings.remote else CAPABILITIES

    @property
    def wiring(self) -> IncusWiring:
        """The cables; `UnsupportedError` where the daemon's host cannot be reached."""
        if (remote := self._settings.remote) is not None:
            raise UnsupportedError(
                engine=self.name,
                what=Capability.CABLES.value,
                instead=f"{remote.url} is reached by its URL alone, and cables end on its host: "
                "run linacre on that host",
            )
        return IncusWiring(
            self._facility,
            project=self._project,
            cables=self._cables,
            machines=self.machines,
            networks=self._networks.all_names,
            walls=self._walls,
        )

    def layout(self, machine: str, address: IPv4Address) -> Layout:
        """Return where things stand: the same in every machine of our image."""
        return machines.LAYOUT

    @property
    def _project(self) -> Project:
        return Project(self._client, self._facility, folder=self._paths.root)

    @property
    def _instances(self) -> Instances:
        return Instances(
            self._client,
            self._facility,
            pool=self._pool,
            cables=self._cables,
            walls=self._walls,
        )

    @property
    def _networks(self) -> Networks:
        return Networks(self._client, self._facility, alone=self._cables.alone)

    # -- the daemon and the facility's place in it

    async def open(self) -> None:
        """Reach the daemon; start the embedded one where there is no other."""
        if await self._connection.open() and self._client.is_local:
            self._cables.bring_up_to_date()
            record = await self._project.record()
            await self._walls.mend(map(self._gate, recorded_networks(record)))
            await self._networks.mend(record)
        self._pool.keep_quotas()

    async def close(self) -> None:
        """Let go of the daemon; machines go on."""
        await self._connection.close()

    async def exists(self) -> bool:
        """Tell whether there is an embedded daemon, or a project of ours in another one."""
        return await self._connection.exists()

    async def prepare(self) -> None:
        """Make the project, the pool and the cables' hook."""
        await self._project.ensure()
        await self._pool.ensure()
        if self._client.is_local:
            self._cables.prepare()
            await self._walls.admit_all(await self._instances.ports())

    async def record(self) -> dict[str, str]:
        """Return the facility's record: the keys of a profile in its project."""
        return await self._project.record()

    async def set_record(self, values: Mapping[str, str | None]) -> None:
        """Change entries of the facility's record; None removes one."""
        await self._project.set_record(values)

    async def hosts(self) -> list[Host]:
        """Return the members of the cluster, or the one server."""
        return await self._connection.hosts()

    # -- networks and images

    async def networks(self) -> list[str]:
        """Return the declared names of the facility's bridges."""
        return await self._networks.recorded(await self._project.record())

    async def check_network(self, network: NetworkSpec) -> None:
        """Raise `UserError` where a network that is yet to be made cannot be, on this host."""
        if await self.exists():
            await self._networks.check(network)
        elif network.uplink is not None:
            await uplink.check(bridge_name(self._facility, network.name), network.uplink)

    async def ensure_network(self, network: NetworkSpec) -> None:
        """Make the bridge of a network, or bring it to this state."""
        if self._client.is_local:
            # The walls of a facility of this name that another daemon has are not to be changed.
            await self._networks.check_free(network.name)
            await self._walls.open_gate(self._gate(network))
            self._walls.check_laid(network)
        await self._networks.ensure(network)

    def _gate(self, network: NetworkSpec) -> Gate:
        return Gate(bridge_name(self._facility, network.name), network)

    async def remove_network(self, name: str) -> None:
        """Remove the bridge of a network; none there is no error."""
        await self._networks.remove(name)
        await self._walls.forget_gate(bridge_name(self._facility, name))

    async def ensure_image(self, digest: str, path: Path) -> None:
        """Import an image: the folder holds `metadata.tar` and `rootfs.squashfs`."""
        await storage.ensure_image(
            self._client,
            pool=self._pool.name,
            digest=digest,
            metadata=path / "metadata.tar",
            root=path / "rootfs.squashfs",
        )

    # -- machines

    async def machines(self, names: Collection[str] | None = None) -> list[Machine]:
        """Return the instances of the project with their states, or those of these names.

        On this host each that runs has the process id of its init; one of which the daemon goes on
        to say that it runs, and whose init has ended, is in error. Nothing is asked for each of
        them: the daemon tells of all at once, and the hook of their starts wrote the rest down.
        """
        found = await self._listed(names)
        for _ in range(_ENDING_TRIES):
            # For a moment the daemon says of one that has just ended that it runs.
            if not (ending := [name for name, machine in found.items() if self._is_dead(machine)]):
                break
            await asyncio.sleep(_ENDING_PERIOD_S)
            there = await self._listed(ending)
            gone = set(ending) - there.keys()
            found = {name: each for name, each in (found | there).items() if name not in gone}
        told = (
            replace(each, state=MachineState.ERROR) if self._is_dead(each) else each
            for each in found.values()
        )
        return sorted(told, key=lambda m: m.name)

    async def _listed(self, names: Collection[str] | None) -> dict[str, Machine]:
        found = await (self._instances.all() if names is None else self._instances.named(names))
        there = [machines.found_machine(each, self._connection.server) for each in found]
        if self._client.is_local:
            there = await asyncio.gather(*map(self._with_init, there))
        return {each.name: each for each in there}

    def _is_dead(self, machine: Machine) -> bool:
        """Tell whether a machine of this host runs, as the daemon has it, and has no init."""
        runs = machine.state is MachineState.RUNNING
        return runs and machine.pid is None and self._client.is_local

    async def _with_init(self, machine: Machine) -> Machine:
        if machine.state is not MachineState.RUNNING:
            return machine
        init = await self._connection.init_of(machine.name)
        return machine if init is None else replace(machine, pid=init.pid)

    async def create(self, spec: MachineSpec, *, persistent_from: str | None = None) -> None:
        """Make an instance with its payload, not started; one half made is made anew."""
        where = await self._plugged(spec)
        await self._instances.create(spec, plugged=where, persistent_from=persistent_from)
        self._pool.keep_quotas()

    async def update(self, spec: MachineSpec) -> None:
        """Bring configuration, devices, payload and labels of an instance to the spec."""
        with self._pool.telling_of_full_disks(spec.name):
            await self._instances.update(spec, plugged=await self._plugged(spec))
        self._pool.keep_quotas()

    async def _plugged(self, spec: MachineSpec) -> str | None:
        return plugged(await self._project.record(), spec.name, home=spec.network)

    async def rebuild(self, spec: MachineSpec) -> None:
        """Replace an instance by a new one of the spec's image; the persistent volume stays."""
        await self.create(spec)

    async def delete(self, name: str, *, keep_persistent: bool = False) -> None:
        """Remove an instance, running or not; none there is no error."""
        await self._instances.delete(name, keep_persistent=keep_persistent)
        if not keep_persistent and Capability.CABLES in self.capabilities():
            await self.wiring.forget(name)

    async def start(self, name: str) -> None:
        """Start an instance; one that runs is left alone.

        Refused where another on the site's network has its address.
        """
        if self._client.is_local:
            await refuse_taken(
                name,
                facility=self._facility,
                client=self._client,
                project=self._project,
            )
        await self._pool.start(name, partial(self._instances.start, name))

    async def stop(self, name: str, *, timeout_s: float = 10.0) -> None:
        """Stop an instance, at the latest by force; one that is stopped is left alone."""
        await self._instances.stop(name, timeout_s=timeout_s)

    async def restart_program(self, name: str) -> None:
        """Restart the IOC and its procServ inside a running machine."""
        init = await self._connection.init_of(name) if self._client.is_local else None
        with self._pool.telling_of_full_disks(name):
            if init is None:
                await self._instances.restart_program(name)
            else:
                await supervise.restart_program(name, init, clock=SystemClock())

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Change labels of an instance, leaving the others."""
        await self._instances.set_labels(name, labels)

    # -- what there is beside machines

    async def space(self) -> list[Space]:
        """Return how full the pool is."""
        return [await self._pool.space()]

    async def used(self, machines: Collection[str]) -> dict[str, tuple[Space, ...]]:
        """Return what machines have written of what they may; nothing of those elsewhere."""
        return await asyncio.to_thread(self._pool.used, machines)

    async def client_environment(self, network: str) -> dict[str, str]:
        """Return the EPICS variables for a client on this host: one address that reaches all.

        By a gateway that is no broadcast address of the host's, and nothing else is to be asked.
        """
        return await self._networks.client_environment(network, await self._project.record())

    # -- the end

    async def shut_down(self) -> None:
        """Stop the embedded daemon; a daemon of the system's or elsewhere is left alone."""
        await self._connection.shut_down()
        if self._connection.is_embedded:
            await self._remove_links()

    async def purge(self) -> None:
        """Remove the project with all in it, the bridges, the pool and the embedded daemon.

        An embedded daemon that no longer comes up is removed with all that it held.
        """
        try:
            await self._connection.open()
        except EngineError:
            if not self._connection.is_embedded:
                raise
        else:
            try:
                await self._empty()
            except EngineError:
                await self._connection.close()
                raise
        await self._remove_links()
        await self._walls.remove()
        with contextlib.suppress(FileNotFoundError):
            self._cables.remove()
        await self._connection.remove()

    async def _remove_links(self) -> None:
        links = self._cables.links()
        await access.remove(link for link in links if link.startswith(BRIDGE))
        await uplink.remove_links(links)

    async def _empty(self) -> None:
        at_once = asyncio.Semaphore(_DELETES_AT_ONCE)

        async def delete(name: str) -> None:
            async with at_once:
                await self.delete(name)

        await asyncio.gather(*(delete(machine.name) for machine in await self.machines()))
        for network in await self._networks.all_names():
            await self.remove_network(network)
        await self._pool.remove()
        await self._project.remove()
