"""Moving the cables of machines: written down first, then done, then known to be done."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from linacre.base.errors import EngineError
from linacre.engines.base import Cable, Machine, Walled
from linacre.engines.incus import arp
from linacre.engines.incus.cable import Cables, bridge_name
from linacre.engines.incus.links import routed_subnets
from linacre.engines.incus.project import Project
from linacre.engines.incus.resets import Resetter
from linacre.engines.incus.uplink import missing_joint
from linacre.engines.incus.walls import Walls
from linacre.engines.labels import NETWORK, recorded_uplinks

_UNPLUGGED = "-"
_MOVING = "moving"
"""The entry of the record with the machines whose cables are not yet where they are to be."""


def _key(machine: str) -> str:
    return f"cable.{machine}"


def plugged(record: Mapping[str, str], machine: str, *, home: str) -> str | None:
    """Return the network that a machine is to be in: its home, unless it was moved."""
    recorded = record.get(_key(machine), home)
    return None if recorded == _UNPLUGGED else recorded


class IncusWiring:
    """The cables of one facility, whose daemon runs on this host."""

    def __init__(
        self,
        facility: str,
        *,
        project: Project,
        cables: Cables,
        machines: Callable[[], Awaitable[list[Machine]]],
        networks: Callable[[], Awaitable[list[str]]],
        walls: Walls,
    ) -> None:
        self._facility = facility
        self._project = project
        self._cables = cables
        self._machines = machines
        self._networks = networks
        self._walls = walls

    async def cables(
        self,
        machines: Iterable[Machine] | None = None,
        record: Mapping[str, str] | None = None,
    ) -> dict[str, Cable]:
        """Return the cables of these machines, or of each there is."""
        if machines is None:
            machines = await self._machines()
        if record is None:
            record = await self._project.record()
        there = list(machines)
        networks = await self._networks_of(there, record)
        found: dict[str, Cable] = {}
        for machine in there:
            name, bridge = machine.name, self._cables.bridge(machine.name)
            found[name] = Cable(
                name,
                plugged(record, name, home=machine.labels.get(NETWORK, "")),
                networks.get(bridge, bridge) if bridge else None,
                self._cables.has_link(name),
                is_shut=self._cables.is_shut(name),
                is_cut=machine.pid is not None and self._cables.is_cut(name),
            )
        return found

    async def _networks_of(
        self, machines: Iterable[Machine], record: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the names of networks by their bridges, those that machines are in among them.

        The daemon is asked only where the record does not tell: to tell of one bridge it looks at
        every link of the host.
        """
        found = {bridge_name(self._facility, name): name for name in recorded_uplinks(record)}
        bridges = {self._cables.bridge(machine.name) for machine in machines} - {None}
        if not bridges <= found.keys():
            # Plugged by hand, or by a version that recorded no networks.
            found = {bridge_name(self._facility, name): name for name in await self._networks()}
        return found

    async def record_moves(
        self, moves: Mapping[str, str | None], *, notes: Mapping[str, str | None]
    ) -> None:
        """Write down where machines are to be plugged, and that they are not there yet."""
        homes = {m.name: m.labels.get(NETWORK) for m in await self._machines()}
        entries = {
            # A cable at home needs no entry, and follows the facility file when that changes.
            _key(machine): None if network == homes.get(machine) else network or _UNPLUGGED
            for machine, network in moves.items()
        }
        async with self._cables.alone():
            waiting = (await self._project.record()).get(_MOVING, "").split()
            moving = " ".join(dict.fromkeys([*waiting, *moves]))
            await self._project.set_record({**notes, **entries, _MOVING: moving})

    async def forget(self, machine: str) -> None:
        """Drop what is written down of a machine that is gone."""
        await self._project.set_record({_key(machine): None})

    async def finish_moves(self) -> tuple[str, ...]:
        """Do the moves that are written down and not done; return what was done, a line each."""
        if _MOVING not in await self._project.record():
            return ()
        async with self._cables.alone():
            # Whoever wrote it down may have done it meanwhile.
            record = await self._project.record()
            moving = record.get(_MOVING, "").split()
            there = {m.name: m for m in await self._machines() if m.name in moving}
            homes = {name: m.labels.get(NETWORK, "") for name, m in there.items()}
            moves = {name: plugged(record, name, home=home) for name, home in homes.items()}
            self._cables.record(moves)
            await self._carry_out(there)
            if moving:
                await self._project.set_record({_MOVING: None})
        return tuple(
            f"{name} is plugged into {network}" if network else f"{name} is unplugged"
            for name, network in moves.items()
        )

    async def _carry_out(self, machines: Mapping[str, Machine]) -> None:
        moves = self._cables.wrong(machines)
        pids = [m.pid for name, m in machines.items() if name in moves and m.pid is not None]
        with contextlib.ExitStack() as stack:
            resetters = [stack.enter_context(Resetter(pid)) for pid in pids]

            def reset() -> None:
                for each in resetters:
                    each.reset()

            try:
                await self._cables.move(moves, before=reset)
                # A client may have come back between its reset and the move.
                reset()
            except OSError as error:
                raise EngineError(f"clients cannot be reset: {error}") from error
        if left := self._cables.wrong(machines):
            raise EngineError(f"the cable of {', '.join(left)} is not where it was put")

    async def owners(
        self, network: str, addresses: Sequence[IPv4Address], *, wait_s: float = 0.3
    ) -> dict[IPv4Address, tuple[str, ...]]:
        """Return the MAC addresses that answer to ARP for addresses on a network."""
        bridge = bridge_name(self._facility, network)
        return await arp.owners(bridge, addresses, wait_s=wait_s)

    async def walls(self) -> Walled:
        """Return how the walls at the cables stand."""
        return await self._walls.standing()

    async def host_subnets(self) -> list[IPv4Network]:
        """Return the subnets that this host has a route of its own to, its own among them."""
        return await routed_subnets()

    def uplink_fault(self, network: str, uplink: str) -> str | None:
        """Say why machines on a network do not reach the site by its uplink, or None."""
        return missing_joint(bridge_name(self._facility, network), uplink)
