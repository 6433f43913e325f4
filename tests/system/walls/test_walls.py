"""The walls at cables, with links and network namespaces of the test's own: what passes."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from wired import IP_A, IP_B, IP_OTHER, OTHER, A, B, Net, ip

from linacre.engines.incus.walls import Walls
from linacre.engines.incus.walls_parts import Port


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    if os.geteuid() != 0:
        pytest.skip("only root may make links")
    made = Net(secrets.token_hex(4), tmp_path)
    try:
        made.make()
        for end in (made.a, made.b):
            asyncio.run(made.walls.admit(end.port))
        yield made
    finally:
        made.remove()


@pytest.mark.parametrize(
    "words",
    [
        ("ip", A, IP_A, B, IP_B, "own"),
        ("ip", A, IP_A, "broadcast", "10.99.1.255", "own"),
        ("arp", A, A, IP_A, IP_B, "own"),
        ("arp", A, A, "0.0.0.0", IP_A, "own"),
    ],
)
def test_what_is_a_machines_own_passes(net: Net, words: tuple[str, ...]) -> None:
    assert net.heard_at(net.b, *words, by=net.a)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("ip", B, IP_A, "broadcast", "10.99.1.255", "x"), "with another's MAC address"),
        (("ip", OTHER, IP_OTHER, B, IP_B, "x"), "with another's MAC address"),
        (("ip", A, IP_B, "broadcast", "10.99.1.255", "x"), "with another's IP address"),
        (("ip", A, IP_OTHER, B, IP_B, "x"), "with another's IP address"),
        (("ip", A, "0.0.0.0", "broadcast", "255.255.255.255", "x"), "with another's IP address"),
        (("arp", A, A, IP_B, IP_B, "x"), "with another's IP address"),
        (("arp", A, B, IP_A, IP_B, "x"), "with another's MAC address"),
        (("arp", A, A, "0.0.0.0", IP_B, "x"), "with another's IP address"),
        (("vlan", A, IP_A, "x"), "that are neither IP nor ARP"),
    ],
)
def test_what_is_anothers_is_dropped_and_counted(
    net: Net, words: tuple[str, ...], why: str
) -> None:
    assert not net.heard_at(net.b, *words, by=net.a)
    standing = asyncio.run(net.walls.standing())
    assert standing.missing == ()
    assert standing.dropped == {"a": (f"1 frame {why}",)}


def test_ipv6_is_off(net: Net) -> None:
    assert not net.heard_at(net.b, "ip6", A, "x", by=net.a)
    assert asyncio.run(net.walls.standing()).dropped == {}


def test_what_is_sent_to_another_does_not_come(net: Net) -> None:
    """A bridge that has forgotten where a MAC address is sends its frames to all."""
    assert not net.heard_at(net.b, "ip", A, IP_A, OTHER, IP_OTHER, "x", by=net.a)
    assert not net.heard_at(net.b, "ip", A, IP_A, B, IP_OTHER, "x", by=net.a)


def test_one_that_is_moved_keeps_its_wall(net: Net) -> None:
    """As a swap moves it: the wall is at the cable, and not at the bridge."""
    ip("link", "set", net.a.port.link, "nomaster")
    ip("link", "set", net.a.port.link, "master", net.bridge)
    assert not net.heard_at(net.b, "ip", A, IP_B, "broadcast", "10.99.1.255", "x", by=net.a)


@pytest.mark.parametrize("family", ["bridge", "ip"])
def test_walls_that_were_taken_down_are_told_and_laid_again(net: Net, family: str) -> None:
    subprocess.run(["nft", "delete", "table", family, net.walls.table], check=True)
    assert asyncio.run(net.walls.standing()).missing == ("a", "b")
    # A change finds that what it changes is not there.
    other = Port("c", "lnv-nowhere", OTHER, IPv4Address(IP_OTHER))
    asyncio.run(net.walls.admit(other))
    assert asyncio.run(net.walls.standing()).missing == ()
    asyncio.run(net.walls.expel("c"))
    assert not net.heard_at(net.b, "ip", A, IP_B, "broadcast", "10.99.1.255", "x", by=net.a)


def test_walls_that_lack_a_cable_are_laid_again(net: Net) -> None:
    element = f'{{ "{net.a.port.link}" }}'
    table = net.walls.table
    subprocess.run(["nft", f"delete element bridge {table} ports {element}"], check=True)
    assert asyncio.run(net.walls.standing()).missing == ("a",)
    asyncio.run(net.walls.mend([]))
    assert asyncio.run(net.walls.standing()).missing == ()


def test_another_that_has_no_walls_of_this_name_takes_none_away(net: Net, tmp_path: Path) -> None:
    asyncio.run(Walls(net.bridge.removeprefix("lnb-"), tmp_path / "other").remove())
    assert asyncio.run(net.walls.standing()).missing == ()


def test_a_flood_of_broadcasts_is_bounded(net: Net) -> None:
    net.a.send("flood", A, IP_A, "20000")
    (line,) = asyncio.run(net.walls.standing()).dropped["a"]
    assert line.endswith("of broadcast beyond 2000 a second")
    assert int(line.split()[0]) > 5000


def test_another_address_takes_the_place_of_the_first(net: Net) -> None:
    new = Port("a", net.a.port.link, A, IPv4Address(IP_OTHER))
    asyncio.run(net.walls.admit(new))
    assert net.heard_at(net.b, "ip", A, IP_OTHER, B, IP_B, "own", by=net.a)
    assert not net.heard_at(net.b, "ip", A, IP_A, B, IP_B, "x", by=net.a)
