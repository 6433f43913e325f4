"""Walls at the cables: each carries one MAC address and one IPv4 address, both ways.

nftables' bridge family holds them on this host, by the names of cables: so they stand before a
machine's first frame and stay through swaps, moves and restarts of daemons. Each facility has a
table of its own. What is dropped is counted for each cable, so that it can be told.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import LinacreError
from linacre.base.listing import counted
from linacre.base.log import get_logger
from linacre.base.processes import run_tool
from linacre.engines.incus.records import write_record
from linacre.engines.wiring import Walled

_log = get_logger(__name__)

_FAMILY = "bridge"
_BROADCASTS_A_SECOND, _BURST = 2000, 4000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_DROPPED = {
    "foreign_mac": "with another's MAC address",
    "foreign_address": "with another's IP address",
    "foreign_kind": "that are neither IP nor ARP",
    "too_many": f"of broadcast beyond {_BROADCASTS_A_SECOND} a second",
}
"""The sets that count what a cable's machine sent and was dropped, and the words for it."""


@dataclass(frozen=True)
class Port:
    """What one cable may carry."""

    machine: str
    link: str
    mac: str
    address: IPv4Address

    def line(self) -> str:
        """Return it as it is kept in a file."""
        return f"{self.machine} {self.link} {self.mac} {self.address}\n"

    @classmethod
    def of(cls, line: str) -> Port | None:
        """Return what `line` gave; None where it is no such line."""
        try:
            machine, link, mac, address = line.split()
            return cls(machine, link, mac, IPv4Address(address))
        except ValueError:
            return None


def table_name(facility: str) -> str:
    """Return the name of a facility's table: nftables takes fewer letters than we do."""
    return f"linacre_{hashlib.sha256(facility.encode()).hexdigest()[:10]}"


def _elements(ports: Iterable[Port]) -> Mapping[str, list[str]]:
    there = list(ports)
    return {
        "ports": [f'"{p.link}"' for p in there],
        "macs": [f'"{p.link}" . {p.mac}' for p in there],
        "addresses": [f'"{p.link}" . {p.address}' for p in there],
    }


def ruleset(table: str, ports: Iterable[Port]) -> str:
    """Return nftables' text that lays the walls of a facility anew, in one transaction.

    A machine may send from its own addresses, and say by ARP that they are its own; it gets what
    is sent to them, and broadcasts. ARP without an address of the sender asks whether an address
    is free (RFC 5227), and may ask for its own alone. IPv6 is off, and not counted: every kernel
    sends some by itself.
    """
    elements = {
        name: f" elements = {{ {', '.join(found)} }};" if found else ""
        for name, found in _elements(ports).items()
    }
    counting = "\n".join(
        f"  set {name} {{ type ifname; size 65535; flags dynamic; counter; }}" for name in _DROPPED
    )
    drop = {name: f"update @{name} {{ iifname }} drop" for name in _DROPPED}
    group = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00"
    rate = f"limit rate over {_BROADCASTS_A_SECOND}/second burst {_BURST} packets"
    return f"""\
add table {_FAMILY} {table}
delete table {_FAMILY} {table}
table {_FAMILY} {table} {{
  set ports {{ type ifname;{elements["ports"]} }}
  set macs {{ type ifname . ether_addr;{elements["macs"]} }}
  set addresses {{ type ifname . ipv4_addr;{elements["addresses"]} }}
  set rates {{ type ifname; size 65535; flags dynamic; }}
{counting}
  chain leaving {{
    iifname . ether saddr != @macs {drop["foreign_mac"]}
    {group} update @rates {{ iifname {rate} }} {drop["too_many"]}
    ether type ip iifname . ip saddr @addresses accept
    ether type ip {drop["foreign_address"]}
    ether type arp jump leaving_arp
    ether type ip6 drop
    {drop["foreign_kind"]}
  }}
  chain leaving_arp {{
    iifname . arp saddr ether != @macs {drop["foreign_mac"]}
    iifname . arp saddr ip @addresses accept
    arp saddr ip 0.0.0.0 iifname . arp daddr ip @addresses accept
    {drop["foreign_address"]}
  }}
  chain entering {{
    {group} ether type {{ ip, arp }} accept
    oifname . ether daddr @macs ether type arp accept
    oifname . ether daddr @macs ether type ip oifname . ip daddr @addresses accept
    drop
  }}
  chain prerouting {{
    type filter hook prerouting priority -350; policy accept;
    iifname @ports jump leaving
  }}
  chain postrouting {{
    type filter hook postrouting priority 350; policy accept;
    oifname @ports jump entering
  }}
}}
"""


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

    async def admit(self, port: Port) -> None:
        """Have a cable carry these addresses and no others, also one that is yet to be made."""
        ports = self._ports()
        if ports.get(port.machine) == port and self._is_laid():
            return
        before = ports.get(port.machine)
        ports[port.machine] = port
        self._keep(ports)
        gone = [] if before is None else [*self._orders("delete", before)]
        await self._change([*gone, *self._orders("add", port)])

    async def expel(self, machine: str) -> None:
        """Drop what is known of a machine that is gone; none there is no error."""
        ports = self._ports()
        if (port := ports.pop(machine, None)) is None:
            return
        self._keep(ports)
        await self._change(self._orders("delete", port))

    async def admit_all(self, ports: Iterable[Port]) -> None:
        """Have the cables of all machines of a facility carry their own addresses alone.

        What is known of others is dropped, and what stands is laid anew where it differs.
        """
        wanted = {port.machine: port for port in ports}
        if self._ports() != wanted:
            self._keep(wanted)
            await self.lay()
        elif (await self.standing()).missing:
            await self.lay()

    async def mend(self) -> None:
        """Lay the walls again where they are gone: the host was started since, or by hand."""
        if self._file.exists() and not (self._is_laid() and await self._stands()):
            _log.warning("the walls at the cables are laid again")
            await self.lay()

    async def _stands(self) -> bool:
        try:
            said = await run_tool("nft", "list", "tables", _FAMILY)
        except LinacreError:
            return False
        return f"table {_FAMILY} {self.table}\n" in said

    async def lay(self) -> None:
        """Lay the walls as they are to be, whatever stands.

        Where this host cannot have them that is logged, and told by `standing`: machines go on.
        """
        try:
            await self._order([ruleset(self.table, self._ports().values())])
        except LinacreError as error:
            _log.error("there are no walls at the cables", error=str(error))
            self._laid.unlink(missing_ok=True)
        else:
            write_record(self._laid, _BOOT_ID.read_text())

    async def _change(self, orders: Iterable[str]) -> None:
        """Change what stands; where that is not what is known of it, lay all anew."""
        if self._is_laid():
            with contextlib.suppress(LinacreError):
                return await self._order(orders)
        await self.lay()

    def _is_laid(self) -> bool:
        try:
            return self._laid.read_text() == _BOOT_ID.read_text()
        except OSError:
            return False

    def _orders(self, verb: str, port: Port) -> Iterable[str]:
        for name, elements in _elements([port]).items():
            yield f"{verb} element {_FAMILY} {self.table} {name} {{ {elements[0]} }}"

    @staticmethod
    async def _order(orders: Iterable[str]) -> None:
        text = "".join(f"{order}\n" for order in orders)
        await run_tool("nft", "-f", "-", stdin=text.encode())

    async def standing(self) -> Walled:
        """Return how the walls stand, as the kernel tells."""
        ports = self._ports()
        try:
            said = await run_tool("nft", "-j", "list", "table", _FAMILY, self.table)
            told = cast(list[Mapping[str, Any]], json.loads(said)["nftables"])
        except (LinacreError, ValueError, KeyError):
            return Walled(tuple(sorted(ports)), {}, why=await self._why_not() if ports else None)
        sets = {each["set"]["name"]: each["set"].get("elem", []) for each in told if "set" in each}
        guarded = {(link,) for link in sets.get("ports", [])} | {
            tuple(element["concat"]) for name in ("macs", "addresses") for element in sets[name]
        }
        missing = (
            port.machine
            for port in ports.values()
            if not {(port.link,), (port.link, port.mac), (port.link, str(port.address))} <= guarded
        )
        return Walled(tuple(sorted(missing)), _dropped(sets, ports.values()))

    async def _why_not(self) -> str:
        try:
            await self._order([ruleset(self.table, self._ports().values())])
        except LinacreError as error:
            return str(error)
        return "they were taken down this moment"

    async def remove(self) -> None:
        """Take the walls away, with what is kept of them."""
        table = f"{_FAMILY} {self.table}"
        await run_tool("nft", f"add table {table}; delete table {table}", check=False)
        for file in (self._file, self._laid):
            file.unlink(missing_ok=True)


def _dropped(sets: Mapping[str, list[Any]], ports: Iterable[Port]) -> Mapping[str, tuple[str, ...]]:
    """Return, by machine, what was counted of what it sent."""
    machines = {port.link: port.machine for port in ports}
    dropped: dict[str, tuple[str, ...]] = {}
    for name, words in _DROPPED.items():
        for element in sets.get(name, []):
            about = element["elem"]
            if (machine := machines.get(about["val"])) is not None:
                line = f"{counted(about['counter']['packets'], 'frame')} {words}"
                dropped[machine] = (*dropped.get(machine, ()), line)
    return dropped
