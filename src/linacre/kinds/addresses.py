"""The MAC address of a machine, from what is declared and nothing else."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address


def mac_address(facility: str, address: IPv4Address) -> str:
    r"""Return the MAC address of the machine at an address.

    `02:` (locally administered, unicast) and the first five bytes of
    SHA-256("FACILITY\0ADDRESS"): the same on any host and after any restart. It follows the
    address and not the machine, so that twins, which share an address, share it too and
    neighbours need to relearn nothing at a swap.
    """
    digest = hashlib.sha256(f"{facility}\0{address}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
