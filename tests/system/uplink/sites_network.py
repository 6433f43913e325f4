"""A site's network for a test: a namespace with one computer on it, behind a veth or a bridge."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def ip(*words: str, check: bool = True) -> str:
    """Run `ip` on the host and return what it prints."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (words, done.stderr)
    return done.stdout


def master(link: str) -> str | None:
    """Return the bridge that a link is in, or None."""
    path = Path(f"/sys/class/net/{link}/master")
    return path.readlink().name if path.exists() else None


def addresses(link: str) -> list[str]:
    """Return the IPv4 addresses that the host has on a link."""
    found = json.loads(ip("-json", "-4", "address", "show", "dev", link) or "[]")
    return [each["local"] for one in found for each in one.get("addr_info", [])]


@dataclass
class SitesNetwork:
    """One computer of the site, the NIC by which this host is on its network, and a bridge."""

    subnet: str
    """The first three numbers of the subnet; the computer is number 200 on it."""
    tail: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def namespace(self) -> str:
        """The namespace that is the computer; `eth0` is its NIC."""
        return f"ltu-{self.tail}"

    @property
    def nic(self) -> str:
        """This host's NIC on the site's network."""
        return f"ltn-{self.tail}"

    @property
    def bridge(self) -> str:
        """A bridge of this host, without the NIC until `build_bridge`."""
        return f"ltb-{self.tail}"

    def make(self) -> None:
        """Make the namespace and the bridge, then the cable between them and this host."""
        ip("netns", "add", self.namespace)
        ip("link", "add", self.bridge, "up", "type", "bridge")
        self.plug()

    def plug(self) -> None:
        """Make this host's NIC, with the computer at its other end."""
        far = ("type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        ip("link", "add", self.nic, *far)
        ip("link", "set", self.nic, "up")
        ip("-n", self.namespace, "link", "set", "lo", "up")
        # The same whenever it is plugged in again: nobody has to learn of a new one.
        ip("-n", self.namespace, "link", "set", "eth0", "up", "address", self.mac)
        self.take(200, prefix=24)

    def unplug(self) -> None:
        """Take the NIC out of this host."""
        ip("link", "delete", self.nic)

    def take(self, number: int, *, prefix: int = 32) -> None:
        """Give the computer an address."""
        address = f"{self.subnet}.{number}/{prefix}"
        ip("-n", self.namespace, "address", "add", address, "broadcast", "+", "dev", "eth0")

    def give_up(self, number: int) -> None:
        """Take an address from the computer."""
        address = f"{self.subnet}.{number}/32"
        ip("-n", self.namespace, "address", "delete", address, "dev", "eth0")

    @property
    def mac(self) -> str:
        """The MAC address of the computer."""
        return ":".join(["02", "ff", "00", *(self.tail[n : n + 2] for n in (0, 2, 4))])

    def neighbour(self, address: str) -> str:
        """Return the MAC address by which the computer reaches an address."""
        found = ip("-n", self.namespace, "-json", "neigh", "show", address, "dev", "eth0")
        return json.loads(found)[0]["lladdr"]

    def read(self, client: str, *names: str) -> list[Any]:
        """Read PVs with a client on the computer, which searches as a client does by default."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
        command = ["ip", "netns", "exec", self.namespace, sys.executable, "-c", client, *names]
        done = subprocess.run(
            command, env=kept, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def remove(self) -> None:
        """Remove all of it, however far its making came."""
        ip("link", "delete", self.nic, check=False)
        ip("link", "delete", self.bridge, check=False)
        ip("netns", "delete", self.namespace, check=False)
