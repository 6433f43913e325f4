"""Subnets of this host alone, by which its clients reach sandboxes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from linacre.base.errors import LinacreError

POOL = IPv4Network("10.192.0.0/10")
"""Private addresses (RFC 1918) in the upper quarter of 10.0.0.0/8, where few sites number from."""


def free_subnets(
    wanted: Iterable[IPv4Network], *, taken: Iterable[IPv4Network], name: str
) -> list[IPv4Network]:
    """Return for each network one of its size that overlaps nothing that is taken.

    Where the search begins comes from `name`, so that two commands at once rarely choose alike.
    Raises `LinacreError` where there is none.
    """
    asked = list(wanted)
    there, found = [*taken, *asked], list[IPv4Network]()
    for network in asked:
        chosen = next(
            (each for each in _candidates(network.prefixlen, name) if not _clashes(each, there)),
            None,
        )
        if chosen is None:
            raise LinacreError(
                f"no subnet of {POOL} of the size of {network} is free on this host: "
                "linacre sandbox delete removes one that is no longer needed"
            )
        there.append(chosen)
        found.append(chosen)
    return found


def _candidates(prefixlen: int, name: str) -> Iterator[IPv4Network]:
    count = 1 << max(0, prefixlen - POOL.prefixlen)
    if prefixlen < POOL.prefixlen:
        return
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % count
    size = 1 << (32 - prefixlen)
    for number in range(count):
        place = (first + number) % count
        yield IPv4Network((int(POOL.network_address) + place * size, prefixlen))


def _clashes(subnet: IPv4Network, taken: Iterable[IPv4Network]) -> bool:
    return any(subnet.overlaps(each) for each in taken)
