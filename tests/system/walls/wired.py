"""Bridges, and ends of cables with no machine at them: a test's own links and namespaces."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from linacre.engines.incus.walls import Walls
from linacre.engines.incus.walls_parts import Port

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
