"""Cables and what comes in by them: the words, and what an engine that can move cables does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from linacre.engines.model import Machine

_PROTOCOLS = {
    22: "SSH",
    23: "telnet",
    5064: "Channel Access",
    5075: "pvAccess",
    7001: "console",
}


@dataclass(frozen=True)
class Cable:
    """The cable of a machine: where it is to be plugged, and where it is."""

    machine: str
    recorded: str | None
    """The network that it is to be plugged into; None is none."""
    found: str | None
    """The network that it is in, or the bridge's name where it is in another's; None is none."""
    is_there: bool
    """Whether there is a cable to look at: that of a machine that runs, unless it is cut."""
    is_shut: bool = False
    """Nothing passes: the host's end is down."""
    is_cut: bool = False
    """The machine runs, and its cable is gone: only its next start brings another."""

    @property
    def is_right(self) -> bool:
        """Whether it is where it is to be, and leads there."""
        if self.is_cut or self.is_shut:
            return False
        return not self.is_there or self.found == self.recorded

    @property
    def fault(self) -> str:
        """What is wrong with one that is not right, in words."""
        if self.is_cut:
            return "its cable is gone: nothing leads into it or out of it"
        if self.is_shut:
            return "its cable is shut: nothing passes"
        return (
            f"plugged into {self.found or 'nothing'}, "
            f"recorded as plugged into {self.recorded or 'nothing'}"
        )


@dataclass(frozen=True)
class Walled:
    """How the walls at a facility's cables stand, which hold each to its machine's addresses."""

    missing: tuple[str, ...]
    """The machines at whose cables there is none, or another than there is to be."""
    dropped: Mapping[str, tuple[str, ...]]
    """By machine, what it sent under other addresses and was dropped, in words."""
    why: str | None = None
    """Why this host has no walls at all; None where it has."""


@dataclass(frozen=True)
class Client:
    """A TCP connection from a client to a server in a machine."""

    address: IPv4Address
    port: int
    server_port: int

    @property
    def protocol(self) -> str:
        """What the client speaks, by the server's port."""
        return _PROTOCOLS.get(self.server_port, f"port {self.server_port}")


class Wiring(Protocol):
    """The cables of a facility's machines."""

    async def cables(
        self,
        machines: Iterable[Machine] | None = None,
        record: Mapping[str, str] | None = None,
    ) -> dict[str, Cable]:
        """Return the cables of these machines, or of each there is.

        Whoever has just read the facility's record gives it, so that it is not read again.
        """
        ...

    async def record_moves(
        self, moves: Mapping[str, str | None], *, notes: Mapping[str, str | None]
    ) -> None:
        """Write down where machines are to be plugged, and that they are not there yet.

        `notes` go into the facility's record in the same stroke. Nothing moves: that is for
        `finish_moves`, now or after whatever comes between.
        """
        ...

    async def finish_moves(self) -> tuple[str, ...]:
        """Do the moves that are written down and not done; return what was done, a line each.

        What is pulled out is pulled out before anything is plugged in, and the clients of a
        machine that is pulled out are reset, so that they search anew.
        """
        ...

    async def owners(
        self, network: str, addresses: Sequence[IPv4Address], *, wait_s: float = 0.3
    ) -> dict[IPv4Address, tuple[str, ...]]:
        """Return the MAC addresses that answer to ARP for addresses on a network."""
        ...

    async def walls(self) -> Walled:
        """Return how the walls at the cables stand."""
        ...

    async def host_subnets(self) -> list[IPv4Network]:
        """Return the subnets that this host has a route of its own to, its own among them."""
        ...

    def uplink_fault(self, network: str, uplink: str) -> str | None:
        """Say why machines on a network do not reach the site by its uplink, or None."""
        ...
