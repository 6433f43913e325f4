"""How a declared address becomes a loopback address of this host."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from linacre.base.errors import UserError

_TAKEN = {
    IPv4Address("127.0.0.0"): "the network address of the loopback",
    IPv4Address("127.0.0.1"): "the address that every other program on this host uses",
    IPv4Address("127.255.255.255"): "the broadcast address of the loopback",
}


def loopback_address(address: IPv4Address) -> IPv4Address:
    """Return the loopback address that stands for a declared one: a.b.c.d becomes 127.b.c.d.

    `UserError` where that is 127.0.0.1 or no address of a machine at all.
    """
    found = IPv4Address((127 << 24) | (int(address) & 0x00FFFFFF))
    if (why := _TAKEN.get(found)) is not None:
        raise UserError(
            f"address {address}: the process engine would use {found} for it "
            f"(a.b.c.d becomes 127.b.c.d), {why}; declare another, such as "
            f"{_neighbour(address)}"
        )
    return found


def check_distinct(name: str, address: IPv4Address, others: Mapping[str, IPv4Address]) -> None:
    """Raise `UserError` where another machine's declared address is the same on the loopback."""
    loopback = loopback_address(address)
    for other, its in others.items():
        if other != name and loopback_address(its) == loopback:
            raise UserError(
                f"{name}: address {address} and {other}'s {its} are both {loopback} with the "
                "process engine (a.b.c.d becomes 127.b.c.d); declare addresses that differ in "
                "more than their first number"
            )


def _neighbour(address: IPv4Address) -> IPv4Address:
    return address - 1 if int(address) & 0xFF == 0xFF else address + 10
