"""Making, changing and removing the instances that are a facility's machines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any, cast

from linacre.base.errors import EngineError
from linacre.engines.base import MachineSpec
from linacre.engines.incus import leftovers, machines, names, payload, storage, streams
from linacre.engines.incus.cable import Cables, veth_name
from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.files import Files
from linacre.engines.incus.pool import Ceiling, Pool
from linacre.engines.incus.walls import Walls
from linacre.engines.incus.walls_parts import Port
from linacre.engines.labels import ADDRESS, IOC, KIND

Instance = Mapping[str, Any]
"""What the daemon says of an instance."""

_LIST_TRIES, _LIST_PERIOD_S = 25, 0.2
_FEW = 8
_RESTART_IOC = "/usr/lib/linacre/restart-ioc"


def _path(name: str, tail: str = "") -> str:
    return f"/1.0/instances/{name}{tail}"


def _untold(found: Sequence[Instance]) -> list[str]:
    return [str(each["name"]) for each in found if not each.get("config")]


def _whose(spec: MachineSpec) -> dict[str, str]:
    """Return the labels that an instance has from the first: half made, it is known by them."""
    ioc = spec.labels.get(IOC)
    return {KIND: spec.kind} | ({} if ioc is None else {IOC: ioc})


class Instances:
    """The instances of one facility, in one project and one pool."""

    def __init__(
        self, client: IncusClient, facility: str, *, pool: Pool, cables: Cables, walls: Walls
    ) -> None:
        self._client = client
        self._facility = facility
        self._pool = pool
        self._cables = cables
        self._walls = walls

    async def all(self) -> list[Instance]:
        """Return what the daemon says of each instance; `EngineError` where it does not tell."""
        return await self._told(self._listed)

    async def named(self, wanted: Collection[str]) -> list[Instance]:
        """Return what the daemon says of these instances, as far as there are such."""

        async def ask() -> list[Instance]:
            told = await asyncio.gather(
                *(self._client.get_or_none(_path(name)) for name in sorted(wanted))
            )
            return [each for each in told if each is not None]

        # One answer for all costs less than one for each where there are many.
        return (
            await self._told(ask)
            if len(wanted) <= _FEW
            else [each for each in await self.all() if each["name"] in wanted]
        )

    @staticmethod
    async def _told(ask: Callable[[], Awaitable[list[Instance]]]) -> list[Instance]:
        """Ask until all is told.

        Raises `EngineError` where the daemon goes on to say nothing of one but its name. It does
        so for a moment where an instance is just ending. Taken for one that is half made, it
        would be made anew, and what was in it lost.
        """
        for _ in range(_LIST_TRIES):
            found = await ask()
            if not _untold(found):
                return found
            await asyncio.sleep(_LIST_PERIOD_S)
        found = await ask()
        if not (untold := _untold(found)):
            return found
        raise EngineError(
            f"the Incus daemon does not say what {', '.join(untold)} is like:"
            " nothing was done; try again, and see its log"
        )

    async def _listed(self) -> list[Instance]:
        # With states (2) the daemon would fork a helper into each machine.
        query = {"recursion": "1"}
        return await self._client.get_or_none("/1.0/instances", query=query) or []

    def _port(self, machine: str, mac: str, address: IPv4Address) -> Port:
        return Port(machine, veth_name(self._facility, machine), mac, address)

    async def ports(self) -> list[Port]:
        """Return what the cables of all instances may carry, as they were made."""
        return [
            self._port(str(each["name"]), mac, IPv4Address(address))
            for each in await self.all()
            if (mac := each["devices"].get("eth0", {}).get("hwaddr")) is not None
            and (address := each["config"].get(names.LABEL + ADDRESS)) is not None
        ]

    async def create(
        self, spec: MachineSpec, *, plugged: str | None, persistent_from: str | None = None
    ) -> None:
        """Make an instance with its payload, not started; one half made is made anew.

        `plugged` is the network of its cable. The labels are set last: an instance without them
        is known to be half made.
        """
        await self.delete(spec.name, keep_persistent=True)
        if spec.traits.runs_program:
            await storage.ensure_volume(
                self._client,
                pool=self._pool.name,
                machine=spec.name,
                copy_of=persistent_from,
                ceiling=await self._volume_ceiling(spec),
            )
        config = {
            key: value
            for key, value in self._config(spec).items()
            if not key.startswith(names.LABEL)
        }
        ceiling = await self._pool.ceiling(spec.limits.disk_bytes)
        body: dict[str, Any] = {
            "name": spec.name,
            "type": "container",
            "profiles": [],
            "config": config | {names.LABEL + key: value for key, value in _whose(spec).items()},
            "devices": self._devices(spec, ceiling.most_bytes),
            "source": {"type": "image", "alias": spec.image},
        }
        query = {"target": spec.host} if spec.host else None
        await self._client.request("POST", "/1.0/instances", body=body, query=query)
        await self._lay(spec, plugged)
        await self.set_labels(spec.name, spec.labels)

    def _config(self, spec: MachineSpec) -> dict[str, str]:
        hook = self._cables.hook if self._client.is_local else None
        return machines.instance_config(spec, hook=hook)

    def _devices(self, spec: MachineSpec, disk_bytes: int | None) -> dict[str, Any]:
        return machines.instance_devices(
            spec,
            facility=self._facility,
            pool=self._pool.name,
            disk_bytes=disk_bytes,
            local=self._client.is_local,
        )

    async def _volume_ceiling(self, spec: MachineSpec) -> Ceiling:
        own = spec.volume_bytes
        return await self._pool.ceiling(spec.limits.disk_bytes if own is None else own)

    async def _lay(self, spec: MachineSpec, plugged: str | None) -> None:
        if self._client.is_local:
            self._cables.record({spec.name: plugged})
            await self._walls.admit(self._port(spec.name, spec.mac, spec.address.ip))
        data = await asyncio.to_thread(payload.to_tar, spec.payload)
        files = Files(self._client, project=names.project(self._facility))
        await files.write(spec.name, payload.INBOX, data)

    async def update(self, spec: MachineSpec, *, plugged: str | None) -> None:
        """Bring configuration, devices, payload, labels and cable of an instance to the spec."""
        found = await self._client.request("GET", _path(spec.name))
        ours = self._config(spec)
        kept = {
            key: value
            for key, value in cast(Mapping[str, str], found["config"]).items()
            # Labels stay as they are until all is done: a crash before then is seen by them.
            if key.startswith(("volatile.", "image.", names.LABEL))
        }
        unlabelled = {k: v for k, v in ours.items() if not k.startswith(names.LABEL)}
        ceiling = await self._pool.ceiling(spec.limits.disk_bytes)
        root = ceiling.beside(found["devices"]["root"].get("size"))
        body = found | {"config": kept | unlabelled, "devices": self._devices(spec, root)}
        await self._client.request("PUT", _path(spec.name), body=body)
        if spec.traits.runs_program:
            await storage.size_volume(
                self._client,
                pool=self._pool.name,
                machine=spec.name,
                ceiling=await self._volume_ceiling(spec),
            )
        await self._lay(spec, plugged)
        if found["status"] == "Running":
            await self._check(spec.name, [str(payload.UNPACK)], "lay the files of")
            if self._client.is_local:
                await self._cables.move(self._cables.wrong([spec.name]))
        await self.set_labels(spec.name, spec.labels)

    async def _check(self, name: str, argv: Sequence[str], what: str) -> None:
        done = await streams.run(self._client, name, argv)
        if done.status != 0:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-1:]
            raise EngineError(f"could not {what} {name}: {said[0] if said else done.status}")

    async def delete(self, name: str, *, keep_persistent: bool = False) -> None:
        """Remove an instance, running or not; none there is no error."""
        try:
            await self._client.request("GET", _path(name))
            # What loses its data needs no time to save them.
            await (self.stop(name, timeout_s=5) if keep_persistent else self._kill(name))
            await self._client.remove(_path(name))
        except IncusError as error:
            if error.status != 404:
                raise
        if self._client.is_local:
            await self._cables.clear_link(name)
        if not keep_persistent:
            self._cables.forget(name)
            if self._client.is_local:
                await self._walls.expel(name)
            await storage.remove_volume(self._client, pool=self._pool.name, machine=name)

    async def start(self, name: str) -> None:
        """Start an instance; one that runs is left alone."""
        try:
            await self._start(name)
        except IncusError as error:
            # Not before: an up that was killed may have asked for the start that goes on now,
            # whose cable is there while the daemon still says that the machine is stopped.
            if await self._clear_link(name):
                return await self._start(name)
            if (why := await self._why_not_started(name)) is None:
                raise
            raise IncusError(f"Incus could not start {name}: {why}", status=error.status) from error

    async def _start(self, name: str) -> None:
        await self._change_state(name, {"action": "start", "timeout": 60}, already="running")

    async def _why_not_started(self, name: str) -> str | None:
        """Return the cause in the container's own log: Incus itself names only a command."""
        try:
            log = await self._client.fetch(_path(name, "/logs/lxc.log"), query={})
        except EngineError:
            return None
        lines = (log or b"").decode(errors="replace").splitlines()
        # lxc writes what failed first at the place where it failed, and then each consequence.
        errors = [line.partition(" ERROR ")[2].strip() for line in lines if " ERROR " in line]
        return errors[0] if errors else None

    async def _clear_link(self, name: str) -> bool:
        """Remove what holds the name of the cable of a machine that does not run; tell if it did.

        That is a daemon's that was killed in the middle of a start, or that of processes whose
        monitor was killed: for the daemon they do not run.
        """
        directory = self._client.directory
        if directory is None or not self._cables.has_link(name):
            return False
        found = await self._client.request("GET", _path(name, "/state"))
        if found["status"] != "Stopped":
            return False
        await leftovers.end_orphans(directory, names.project(self._facility))
        await self._cables.clear_link(name)
        return True

    async def stop(self, name: str, *, timeout_s: float = 10.0) -> None:
        """Stop an instance, at the latest by force; one that is stopped is left alone."""
        try:
            order = {"action": "stop", "timeout": int(timeout_s)}
            await self._change_state(name, order, already="stopped")
        except IncusError as error:
            if error.status == 404:
                raise
            await self._kill(name)

    async def _kill(self, name: str) -> None:
        order = {"action": "stop", "timeout": 30, "force": True}
        await self._change_state(name, order, already="stopped")

    async def _change_state(self, name: str, order: Mapping[str, Any], *, already: str) -> None:
        try:
            await self._client.request("PUT", _path(name, "/state"), body=dict(order))
        except IncusError as error:
            said = str(error)
            ended_meanwhile = already == "stopped" and "is not running" in said
            if f"already {already}" not in said and not ended_meanwhile:
                raise

    async def restart_program(self, name: str) -> None:
        """Restart the IOC and its procServ inside a running machine."""
        await self._check(name, [_RESTART_IOC], "restart the program in")

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Change labels of an instance, leaving the others."""
        config = {names.LABEL + key: value for key, value in labels.items()}
        await self._client.request("PATCH", _path(name), body={"config": config})
