"""Walls at the cables, and between bridges: what machines may send, and where to.

Each cable carries one MAC address and one IPv4 address, both ways; a bridge lets through to the
host, and to other networks, what is opened. nftables' bridge family holds that on this host, by the
names of cables and bridges: so it stands before a machine's first frame and stays through swaps,
moves and restarts of daemons. Each facility has a table of its own. What is dropped is counted for
each cable, so that it can be told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

from linacre.base.alone import alone
from linacre.base.errors import EngineError, LinacreError
from linacre.base.listing import counted
from linacre.base.log import get_logger
from linacre.base.processes import run_tool
from linacre.engines.base import NetworkSpec
from linacre.engines.incus.records import write_record
from linacre.engines.incus.walls_closed import ASKING, CLOSED
from linacre.engines.incus.walls_parts import Gate, Port
from linacre.engines.incus.walls_rules import (
    CABLES,
    DROPPED,
    GATES,
    MACHINES,
    STOPPED,
    port_elements,
    ruleset,
    table_name,
)
from linacre.engines.wiring import Walled

_log = get_logger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Walls:
    """The walls at the cables of one facility on this host."""

    def __init__(self, facility: str, folder: Path) -> None:
        """Hold the walls of a facility; `folder` keeps what they are to be."""
        self.table = table_name(facility)
        self._folder = folder

    @property
    def _file(self) -> Path:
        return self._folder / "walls"

    @property
    def _gates_file(self) -> Path:
        return self._folder / "gates"

    @property
    def _laid(self) -> Path:
        return self._folder / "walls-laid"

    def _ports(self) -> dict[str, Port]:
        try:
            lines = self._file.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {port.machine: port for port in map(Port.of, lines) if port is not None}

    def _keep(self, ports: Mapping[str, Port]) -> None:
        write_record(self._file, "".join(ports[name].line() for name in sorted(ports)))

    def _gates(self) -> dict[str, Gate]:
        try:
            lines = self._gates_file.read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {gate.bridge: gate for gate in map(Gate.of, lines) if gate is not None}

    def _keep_gates(self, gates: Iterable[Gate]) -> None:
        lines = (gate.line() for gate in sorted(gates, key=lambda gate: gate.bridge))
        write_record(self._gates_file, "".join(lines))

    def _alone(self) -> AbstractAsyncContextManager[None]:
        # What is laid anew as a whole must not lack what another has just changed.
        return alone(self._folder / "walls.lock")

    async def admit(self, port: Port) -> None:
        """Have a cable carry these addresses and no others, also one that is yet to be made."""
        async with self._alone():
            ports = self._ports()
            if ports.get(port.machine) == port and self._is_laid():
                return
            before = ports.get(port.machine)
            ports[port.machine] = port
            self._keep(ports)
            gone = [] if before is None else self._to_delete(before, ports)
            await self._change([*gone, *self._to_add(port)])

    async def expel(self, machine: str) -> None:
        """Drop what is known of a machine that is gone; none there is no error."""
        async with self._alone():
            ports = self._ports()
            if (port := ports.pop(machine, None)) is None:
                return
            self._keep(ports)
            await self._change(self._to_delete(port, ports))

    async def admit_all(self, ports: Iterable[Port]) -> None:
        """Have the cables of all machines of a facility carry their own addresses alone.

        What is known of others is dropped, and what stands is laid anew where it differs.
        """
        wanted = {port.machine: port for port in ports}
        async with self._alone():
            if self._ports() != wanted:
                self._keep(wanted)
                await self._lay()
            elif (await self.standing()).missing:
                await self._lay()

    async def open_gate(self, gate: Gate) -> None:
        """Let through between a bridge and the host what this says, and nothing else."""
        async with self._alone():
            gates = self._gates()
            if gates.get(gate.bridge) != gate or not self._is_laid():
                self._keep_gates((gates | {gate.bridge: gate}).values())
                await self._lay()

    def check_laid(self, network: NetworkSpec) -> None:
        """Raise `EngineError` where a network needs walls and this host has none.

        Machines go on without them; but two networks of one subnet would not be apart.
        """
        if network.access is not None and not self._is_laid():
            raise EngineError(
                f"the network {network.name} cannot be kept apart from this host: it has no walls; "
                "see linacre doctor"
            )

    async def forget_gate(self, bridge: str) -> None:
        """Drop what is known of a bridge that is gone; none there is no error."""
        async with self._alone():
            gates = self._gates()
            if gates.pop(bridge, None) is not None:
                self._keep_gates(gates.values())

    async def mend(self, gates: Iterable[Gate]) -> None:
        """Lay the walls again where they are gone: the host was started since, or by hand.

        So too where they stand and lack one of our cables: another laid them without it.
        So too where a gate of the facility's networks is not known: an earlier version had none.
        """
        wanted = {gate.bridge: gate for gate in gates}
        if not self._file.exists():
            return
        if wanted.keys() <= self._gates().keys() and self._is_laid() and await self._stands():
            return
        async with self._alone():
            _log.warning("the walls at the cables are laid again")
            self._keep_gates((wanted | self._gates()).values())
            await self._lay()

    async def _stands(self) -> bool:
        # One set a call: nft 1.0 finds but the tables of the first family that it is asked for.
        sets = ((CABLES, "ports"), (GATES, MACHINES), (ASKING, CLOSED))
        asked = (run_tool("nft", "list", "set", family, self.table, name) for family, name in sets)
        try:
            ports, *_ = await asyncio.gather(*asked)
        except LinacreError:
            return False
        return all(f'"{port.link}"' in ports for port in self._ports().values())

    async def _lay(self) -> None:
        """Lay the walls as they are to be, whatever stands.

        Where this host cannot have them that is logged, and told by `standing`: machines go on.
        """
        try:
            await self._order([self._ruleset()])
        except LinacreError as error:
            _log.error("there are no walls at the cables", error=str(error))
            self._laid.unlink(missing_ok=True)
        else:
            write_record(self._laid, _BOOT_ID.read_text())

    def _ruleset(self) -> str:
        return ruleset(self.table, self._ports().values(), self._gates().values())

    async def _change(self, orders: Iterable[str]) -> None:
        """Change what stands; where that is not what is known of it, lay all anew."""
        if self._is_laid():
            with contextlib.suppress(LinacreError):
                return await self._order(orders)
        await self._lay()

    def _is_laid(self) -> bool:
        try:
            return self._laid.read_text() == _BOOT_ID.read_text()
        except OSError:
            return False

    def _to_add(self, port: Port) -> list[str]:
        machines = f"add element {GATES} {self.table} {MACHINES} {{ {port.address} }}"
        return [*self._of_cable("add", port), machines]

    def _to_delete(self, port: Port, left: Mapping[str, Port]) -> list[str]:
        orders = [*self._of_cable("delete", port)]
        # An IOC and its twin have one address.
        if not any(port.address == other.address for other in left.values()):
            element = f"{GATES} {self.table} {MACHINES} {{ {port.address} }}"
            orders.append(f"delete element {element}")
        return orders

    def _of_cable(self, verb: str, port: Port) -> Iterable[str]:
        for name, elements in port_elements([port]).items():
            yield f"{verb} element {CABLES} {self.table} {name} {{ {elements[0]} }}"

    @staticmethod
    async def _order(orders: Iterable[str]) -> None:
        text = "".join(f"{order}\n" for order in orders)
        await run_tool("nft", "-f", "-", stdin=text.encode())

    async def standing(self) -> Walled:
        """Return how the walls stand, as the kernel tells."""
        ports = self._ports()
        try:
            cables, gates = [await self._sets(family) for family in (CABLES, GATES)]
        except (LinacreError, ValueError, KeyError):
            return Walled(tuple(sorted(ports)), {}, why=await self._why_not() if ports else None)
        guarded = {(link,) for link in cables.get("ports", [])} | {
            tuple(element["concat"]) for name in ("macs", "addresses") for element in cables[name]
        }
        missing = (
            port.machine
            for port in ports.values()
            if not {(port.link,), (port.link, port.mac), (port.link, str(port.address))} <= guarded
            or str(port.address) not in gates[MACHINES]
        )
        links = {port.link: port.machine for port in ports.values()}
        # An IOC and its twin have one address: the first of the two is told.
        addresses = {str(ports[name].address): name for name in sorted(ports, reverse=True)}
        counted_ = [*_counts(cables, DROPPED, links), *_counts(gates, STOPPED, addresses)]
        dropped: dict[str, tuple[str, ...]] = {}
        for machine, line in counted_:
            dropped[machine] = (*dropped.get(machine, ()), line)
        return Walled(tuple(sorted(missing)), dropped)

    async def _sets(self, family: str) -> Mapping[str, list[Any]]:
        """Return the elements of each set of a table, as the kernel tells."""
        said = await run_tool("nft", "-j", "list", "table", family, self.table)
        told = cast(list[Mapping[str, Any]], json.loads(said)["nftables"])
        return {each["set"]["name"]: each["set"].get("elem", []) for each in told if "set" in each}

    async def _why_not(self) -> str:
        try:
            await self._order([self._ruleset()])
        except LinacreError as error:
            return str(error)
        return "they were taken down this moment"

    async def remove(self) -> None:
        """Take the walls away, with what is kept of them; without that they are another's."""
        if not (self._file.exists() or self._gates_file.exists()):
            return
        for family in (CABLES, GATES, ASKING):
            table = f"{family} {self.table}"
            await run_tool("nft", f"add table {table}; delete table {table}", check=False)
        for file in (self._file, self._gates_file, self._laid):
            file.unlink(missing_ok=True)


def _counts(
    sets: Mapping[str, list[Any]], words: Mapping[str, str], machines: Mapping[str, str]
) -> Iterable[tuple[str, str]]:
    """Yield machines, each with a line of what was counted of what it sent."""
    for name, what in words.items():
        for element in sets.get(name, []):
            about = element["elem"]
            if (machine := machines.get(about["val"])) is not None:
                yield machine, f"{counted(about['counter']['packets'], 'frame')} {what}"
