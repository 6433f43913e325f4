"""Rules that turn declared names and addresses into those a kernel needs.

All are pure and stable: the same facility file gives the same result on any host, after any
restart, with nothing remembered.
"""

from __future__ import annotations

import base64
import hashlib
from ipaddress import IPv4Address

from linacre.base.errors import UserError
from linacre.facility.models import Facility

_KERNEL_NAME = 15
"""Longest name of a network interface (IFNAMSIZ - 1)."""
_LONGEST_PREFIX = 5


def mac_address(facility: str, address: IPv4Address) -> str:
    r"""Return the MAC address of the machine at an address.

    `02:` (locally administered, unicast) and the first five bytes of
    SHA-256("FACILITY\0ADDRESS"). It follows the address and not the machine, so that twins,
    which share an address, share it too and neighbours need to relearn nothing at a swap.
    """
    digest = hashlib.sha256(f"{facility}\0{address}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def kernel_name(prefix: str, facility: str, name: str) -> str:
    r"""Return the name of a network interface or bridge: always 15 characters.

    The prefix (5 characters at most) says what it is; the rest is the start of the base32 form
    of SHA-256("FACILITY\0NAME"). Names are always hashed, never cut: two that begin alike, or
    the same one of two facilities, must not meet on one host.
    """
    if not 0 < len(prefix) <= _LONGEST_PREFIX:
        raise ValueError(f"a prefix has 1 to {_LONGEST_PREFIX} characters, not {prefix!r}")
    digest = hashlib.sha256(f"{facility}\0{name}".encode()).digest()
    text = base64.b32encode(digest).decode().lower()
    return prefix + text[: _KERNEL_NAME - len(prefix)]


def loopback_address(address: IPv4Address) -> IPv4Address:
    """Return where the process engine puts a declared address a.b.c.d: 127.b.c.d.

    Raises `UserError` for the three addresses of 127.0.0.0/8 that no IOC can have:
    127.0.0.0, 127.0.0.1 (the host's own) and 127.255.255.255 (the broadcast address).
    """
    mapped = IPv4Address((127 << 24) | (int(address) & 0xFFFFFF))
    if int(mapped) & 0xFFFFFF in (0, 1, 0xFFFFFF):
        raise UserError(
            f"the process engine would put {address} at {mapped}, which is not free for an IOC; "
            "write another address, such as 10.61.2.11"
        )
    return mapped


def loopback_addresses(facility: Facility) -> dict[str, IPv4Address]:
    """Return the process engine's address of every IOC.

    Raises `UserError` where two IOCs would meet at one address.
    """
    owners: dict[IPv4Address, str] = {}
    for name, ioc in facility.iocs.items():
        mapped = loopback_address(ioc.address)
        if other := owners.get(mapped):
            raise UserError(
                f"the process engine would put {other} ({facility.iocs[other].address}) and "
                f"{name} ({ioc.address}) both at {mapped}; let their addresses differ after the "
                "first dot, or take the incus engine"
            )
        owners[mapped] = name
    return {name: address for address, name in owners.items()}
