"""Sandboxes of a facility under test: made, reached and known by their links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from harness import Site
from host_clients import AIOCA, CAPROTO, P4P

from linacre.engines.incus import access
from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.kinds.addresses import mac_address

MACHINES = ("a", "b", "desk-controls")
CLIENTS = {"libca": AIOCA, "p4p": P4P, "caproto": CAPROTO}


class Copy:
    """A sandbox of a facility of the IOCs a and b."""

    def __init__(self, site: Site, name: str) -> None:
        self.site, self.name = site, name
        self.facility = f"{site.name}.{name}"
        self.paths = site.state.facility(self.facility)
        self.folder = self.paths.root / "declared"

    def environment(self) -> dict[str, str]:
        """Return what clients on the host reach it with."""
        return json.loads(self.site.ok("env", "--sandbox", self.name, "--json").out)

    def at_desk(self, *command: str) -> str:
        """Return what a command prints at its desk."""
        return self.site.ok("exec", "--sandbox", self.name, "--", *command).out.strip()

    def status(self) -> dict[str, Any]:
        """Return `status --json` of it, which must be green."""
        done = self.site.ok("status", "--json", "-f", str(self.folder))
        return json.loads(done.out)

    def address(self, name: str) -> str:
        """Return where this host reaches an IOC of it; its own end, for `gateway`."""
        (subnet,) = json.loads(self.site.ok("sandbox", "show", self.name, "--json").out)["access"]
        place = "1" if name == "gateway" else self.site.address(name).rpartition(".")[2]
        return f"{subnet.rpartition('.')[0]}.{place}"

    @property
    def bridge(self) -> str:
        return bridge_name(self.facility, "controls")

    @property
    def hosts_end(self) -> str:
        return access.links(self.bridge)[1]

    def links(self) -> set[str]:
        """Return the links on this host of its own network."""
        return links_of(self.facility) | {access.links(self.bridge)[0]}

    def macs(self) -> set[str]:
        """Return the MAC addresses of its machines, and of its gateway."""
        return macs_of(self.site, self.facility) | {access.mac_inside(self.bridge)}

    def left(self) -> list[str]:
        """Return what this host has of its gateway."""
        names = [self.bridge, *access.links(self.bridge)]
        found = [name for name in names if Path(f"/sys/class/net/{name}").exists()]
        there = Path("/run/netns") / access.namespace(self.bridge)
        return [*found, *([str(there)] if there.exists() else [])]


def links_of(facility: str) -> set[str]:
    """Return the links on this host of the network of a facility, its bridge among them."""
    cables = {veth_name(facility, machine) for machine in MACHINES}
    return cables | {bridge_name(facility, "controls")}


def macs_of(site: Site, facility: str) -> set[str]:
    """Return the MAC addresses of a facility's machines."""
    places = (2, 11, 12)
    return {mac_address(facility, IPv4Address(f"{site.subnet}.{place}")) for place in places}


def on_host(client: str, names: list[str], environment: dict[str, str]) -> list[float]:
    """Return what a Python client on this host reads."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
    done = subprocess.run(
        [sys.executable, "-c", client, *names],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done
    return json.loads(done.stdout)
