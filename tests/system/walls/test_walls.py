"""The walls at cables, with links and network namespaces of the test's own: what passes."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from linacre.engines.incus.walls import Port, Walls

SEND = Path(__file__).with_name("frames.py")

A, B, OTHER = "02:00:00:00:00:0b", "02:00:00:00:00:0c", "02:00:00:00:00:63"
IP_A, IP_B, IP_OTHER = "10.99.1.11", "10.99.1.12", "10.99.1.99"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class End:
    """A machine's end of a cable: `eth0` in a namespace."""

    name: str
    namespace: str
    port: Port

    def send(self, *words: str) -> None:
        """Send a frame that is made of these words (see `frames.py`)."""
        self.run(sys.executable, str(SEND), "send", *words)

    def run(self, *argv: str) -> None:
        command = ["ip", "netns", "exec", self.namespace, *argv]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


class Net:
    """A bridge with two machines, and a third cable that nobody guards."""

    def __init__(self, tail: str, folder: Path) -> None:
        self.bridge = f"lnb-{tail}"
        self.walls = Walls(tail, folder)
        self.a, self.b = (
            End(name, f"lt-{tail}{name}", self._port(name, f"lnv-{tail}{name}", number))
            for number, name in enumerate("ab", start=11)
        )

    @staticmethod
    def _port(name: str, link: str, number: int) -> Port:
        return Port(name, link, f"02:00:00:00:00:{number:02x}", IPv4Address(f"10.99.1.{number}"))

    def make(self) -> None:
        ip("link", "add", self.bridge, "up", "type", "bridge")
        for end in (self.a, self.b):
            ip("netns", "add", end.namespace)
            ip("link", "add", end.port.link, "type", "veth", "peer", "name", f"{end.port.link}x")
            ip("link", "set", f"{end.port.link}x", "netns", end.namespace, "name", "eth0")
            end.run("ip", "link", "set", "eth0", "address", end.port.mac, "addrgenmode", "none")
            end.run("ip", "link", "set", "lo", "up")
            end.run("ip", "link", "set", "eth0", "up")
            end.run("ip", "address", "add", f"{end.port.address}/24", "brd", "+", "dev", "eth0")
            ip("link", "set", end.port.link, "up", "master", self.bridge)

    def remove(self) -> None:
        asyncio.run(self.walls.remove())
        for end in (self.a, self.b):
            subprocess.run(["ip", "netns", "delete", end.namespace], check=False)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False)

    def heard_at(self, end: End, *words: str, by: End) -> bool:
        """Tell whether a frame that one end sends comes out at another."""
        listener = subprocess.Popen(
            ["ip", "netns", "exec", end.namespace, sys.executable, str(SEND), "hear", *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        by.send(*words)
        # By the bridge itself: where it comes, what was sent before it has come too.
        last = ("ip", OTHER, IP_OTHER, "broadcast", "10.99.1.255", "last")
        subprocess.run([sys.executable, str(SEND), "send", *last, self.bridge], check=True)
        heard, _ = listener.communicate(timeout=30)
        return heard == "heard\n"


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


def test_walls_that_were_taken_down_are_told_and_laid_again(net: Net) -> None:
    subprocess.run(["nft", "delete", "table", "bridge", net.walls.table], check=True)
    assert asyncio.run(net.walls.standing()).missing == ("a", "b")
    # A change finds that what it changes is not there.
    other = Port("c", "lnv-nowhere", OTHER, IPv4Address(IP_OTHER))
    asyncio.run(net.walls.admit(other))
    assert asyncio.run(net.walls.standing()).missing == ()
    asyncio.run(net.walls.expel("c"))
    assert not net.heard_at(net.b, "ip", A, IP_B, "broadcast", "10.99.1.255", "x", by=net.a)


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
