"""TCP connections of a network namespace, from the kernel's own tables (proc(5), net/tcp)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from linacre.engines.wiring import Client

ESTABLISHED, LISTENING = 0x01, 0x0A


@dataclass(frozen=True)
class Socket:
    """One line of a table: a TCP socket over IPv4."""

    address: IPv4Address
    port: int
    peer: IPv4Address
    peer_port: int
    state: int


def _address(text: str) -> IPv4Address | None:
    """Read an address as the kernel prints it: words in the byte order of the machine."""
    words = [text[n : n + 8] for n in range(0, len(text), 8)]
    packed = b"".join(int(word, 16).to_bytes(4, "little") for word in words)
    if len(packed) == 4:
        return IPv4Address(packed)
    # A server that listens on IPv6 has its IPv4 clients there.
    wide = IPv6Address(packed)
    return IPv4Address(0) if int(wide) == 0 else wide.ipv4_mapped


def sockets(*tables: str) -> list[Socket]:
    """Return the IPv4 sockets of the texts of `net/tcp` and `net/tcp6`."""
    found: list[Socket] = []
    for line in (line for table in tables for line in table.splitlines()[1:]):
        fields = line.split()
        (own, _, port), (peer, _, peer_port) = (f.partition(":") for f in fields[1:3])
        address, other = _address(own), _address(peer)
        if address is not None and other is not None:
            state = int(fields[3], 16)
            found.append(Socket(address, int(port, 16), other, int(peer_port, 16), state))
    return found


def served(found: Iterable[Socket], *, at: IPv4Address | None = None) -> list[Socket]:
    """Return the established connections from elsewhere to servers, those at one address if given.

    A server's port is one that something listens on; elsewhere is no address of the server's.
    """
    there = list(found)
    listening = {each.port for each in there if each.state == LISTENING}
    own = {each.address for each in there}
    return [
        each
        for each in there
        if each.state == ESTABLISHED
        and each.port in listening
        and (each.address == at if at is not None else each.peer not in own)
    ]


def clients(found: Iterable[Socket]) -> list[Client]:
    """Return connections to servers as the clients that they are, by protocol and address."""
    told = [Client(each.peer, each.peer_port, each.port) for each in found]
    return sorted(told, key=lambda c: (c.server_port, c.address, c.port))
