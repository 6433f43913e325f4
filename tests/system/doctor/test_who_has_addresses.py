"""Asking who has the addresses of a network that has hundreds of machines."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from linacre.engines.incus.arp import owners

_FIRST = IPv4Address("10.99.4.1")
_COUNT = 800


@dataclass(frozen=True)
class _Many:
    """A cable to one who has hundreds of addresses."""

    link: str
    namespace: str
    mac: str
    addresses: tuple[IPv4Address, ...]


def _ip(*words: str, given: str | None = None) -> None:
    subprocess.run(["ip", *words], input=given, text=True, check=True, capture_output=True)


@pytest.fixture
def many() -> Iterator[_Many]:
    tail = secrets.token_hex(3)
    found = _Many(
        link=f"lt-{tail}a",
        namespace=f"lt-{tail}",
        mac="02:00:00:00:04:01",
        addresses=tuple(_FIRST + number for number in range(_COUNT)),
    )
    try:
        _ip("netns", "add", found.namespace)
        _ip("link", "add", found.link, "type", "veth", "peer", "name", f"{found.link}x")
        _ip("link", "set", f"{found.link}x", "netns", found.namespace, "name", "eth0")
        inside = ("-n", found.namespace)
        _ip(*inside, "link", "set", "eth0", "address", found.mac, "up")
        lines = [f"address add {address}/20 dev eth0\n" for address in found.addresses]
        _ip(*inside, "-batch", "-", given="".join(lines))
        _ip("link", "set", found.link, "up")
        yield found
    finally:
        subprocess.run(["ip", "netns", "delete", found.namespace], check=False)
        subprocess.run(["ip", "link", "delete", found.link], check=False, capture_output=True)


def test_no_answer_of_hundreds_is_lost(many: _Many) -> None:
    """More answers than a socket holds come while the questions are still being sent."""
    nobody = _FIRST + _COUNT
    told = asyncio.run(owners(many.link, (*many.addresses, nobody), wait_s=1.0))
    silent = [address for address in many.addresses if told[address] != (many.mac,)]
    assert not silent
    assert told[nobody] == ()
