"""What walls are made of: what a cable may carry, and what may pass between a bridge and the host.

Each is kept in a file as a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from linacre.engines.base import NetworkSpec
from linacre.engines.labels import network_record, recorded_networks

_ONE_ADDRESS = 32


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


@dataclass(frozen=True)
class Gate:
    """What may pass between a bridge and the host, and through it."""

    bridge: str
    network: NetworkSpec

    def line(self) -> str:
        """Return it as it is kept in a file: the bridge, and the network as in the record."""
        return " ".join([self.bridge, *network_record(self.network)]) + "\n"

    @classmethod
    def of(cls, line: str) -> Gate | None:
        """Return what `line` gave; None where it is no such line."""
        try:
            bridge, key, text = line.split(maxsplit=2)
            (network,) = recorded_networks({key: text})
        except ValueError:
            return None
        return cls(bridge, network)

    def elements(self) -> Mapping[str, list[str]]:
        """Return the elements of the sets that it stands in."""
        network = self.network
        own = (
            []
            if network.host_address is None
            else [network.host_address, network.subnet.broadcast_address]
        )
        whole = {way.to for way in network.ways if not way.ports}
        opened = {f"{to} . 0-255 . 0-65535" for to in whole}
        for way in network.ways:
            if way.to not in whole:
                ports = (port.partition("/") for port in way.ports)
                opened |= {f"{way.to} . {proto} . {port}" for port, _, proto in ports}
        answered = {str(subnet) for subnet in network.answers}
        beyond = {str(way.to) for way in network.ways if way.to.prefixlen < _ONE_ADDRESS}
        found = {
            "within": [f'"{self.bridge}"'],
            "gates": [str(address) for address in own],
            "opened": sorted(opened),
            "answered": sorted(answered),
            "sources": sorted(answered | beyond),
        }
        named = {name: [f'"{self.bridge}" . {e}' for e in each] for name, each in found.items()}
        return {"bridges": [f'"{self.bridge}"'], **named}
