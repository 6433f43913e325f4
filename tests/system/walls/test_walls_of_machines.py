"""Root in a machine takes its neighbour's addresses: nothing of it passes, and it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from harness import Site, until

from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.walls_rules import table_name
from linacre.kinds.addresses import mac_address

pytestmark = pytest.mark.timeout(300)
FRAMES = Path(__file__).with_name("frames.py")


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    """A facility of a victim and an enemy."""
    site = make_site("walls")
    site.ioc("victim", 11)
    site.ioc("enemy", 12)
    site.up()
    return site


def send(site: Site, *words: str) -> None:
    """Send a frame from inside the enemy's machine."""
    pid = site.pid("enemy", "procServ")
    command = ["nsenter", "-t", str(pid), "-n", sys.executable, str(FRAMES), "send", *words]
    subprocess.run(command, check=True, timeout=30)


def findings(site: Site) -> dict[str, list[str]]:
    """Return what the doctor says of walls, by machine."""
    told = json.loads(site.run("doctor", "--json").out)
    (check,) = (each for each in told["checks"] if each["check"] == "walls")
    found: dict[str, list[str]] = {}
    for each in check["findings"]:
        found.setdefault(each["what"], []).append(each["text"])
    return found


def addresses(site: Site, machine: str) -> tuple[str, str]:
    address = site.address(machine)
    return mac_address(site.name, IPv4Address(address)), address


def assert_victim_answers(site: Site) -> None:
    pv = f"{site.prefix('victim')}READI"
    assert site.inside("desk-controls", f"caget -t -w 10 {pv}").out.strip() == "2.5"


def test_no_address_of_a_neighbours_is_taken(site: Site) -> None:
    assert findings(site) == {}
    (mac, address), (own, _) = addresses(site, "victim"), addresses(site, "enemy")
    send(site, "arp", own, own, address, address, "x")
    send(site, "arp", mac, mac, address, address, "x")
    send(site, "ip", mac, address, "broadcast", "255.255.255.255", "x")
    assert_victim_answers(site)
    found = findings(site)
    assert found.keys() == {"enemy"}
    assert sorted(found["enemy"]) == [
        "1 frame with another's IP address: dropped",
        "2 frames with another's MAC address: dropped",
    ]


def test_the_wall_stays_through_restarts(site: Site) -> None:
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    until(lambda: not daemon.is_alive)
    site.ok("ioc", "stop", "enemy")
    site.ok("ioc", "start", "enemy")
    own, address = addresses(site, "enemy")[0], addresses(site, "victim")[1]
    before = findings(site)["enemy"]
    send(site, "arp", own, own, address, address, "x")
    assert findings(site)["enemy"] != before
    assert_victim_answers(site)


def test_walls_that_stand_are_left_as_they_are(site: Site) -> None:
    laid = site.state.facility(site.name).cables / "walls-laid"
    before = laid.stat()
    for command in ("status", "doctor"):
        site.run(command)
    assert (laid.stat().st_ino, laid.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("family", ["bridge", "ip"])
def test_walls_that_somebody_took_down_come_back_with_the_next_command(
    site: Site, family: str
) -> None:
    table = table_name(site.name)
    subprocess.run(["nft", "delete", "table", family, table], check=True)
    site.assert_green()
    own, address = addresses(site, "enemy")[0], addresses(site, "victim")[1]
    send(site, "arp", own, own, address, address, "x")
    assert findings(site) == {"enemy": ["1 frame with another's IP address: dropped"]}


def test_up_from_another_state_folder_leaves_the_walls(site: Site) -> None:
    """As another user of this host brings the same file up."""
    folder = site.root / "b"
    folder.mkdir()
    (folder / "images").symlink_to(site.state.root / "images")
    other = {"LINACRE_STATE": str(folder)}
    try:
        assert "is on this host already" in site.run("up", "--yes", **other).problem
    finally:
        assert site.run("down", "--purge", "--yes", **other).status == 0
    assert findings(site) == {}
    assert_victim_answers(site)


def test_a_host_without_nftables_is_told_and_machines_go_on(site: Site, tmp_path: Path) -> None:
    subprocess.run(["nft", "delete", "table", "bridge", table_name(site.name)], check=True)
    (tmp_path / "nft").write_text("#!/bin/sh\necho 'Error: Operation not supported' >&2\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    told = json.loads(site.run("doctor", "--json", PATH=path).out)
    (check,) = (each for each in told["checks"] if each["check"] == "walls")
    (finding,) = check["findings"]
    assert finding["text"].startswith("there are none: nft -f - failed: Error: Operation not ")
    assert site.run("ioc", "restart", "enemy", PATH=path).status == 0
    assert_victim_answers(site)
    site.assert_green()
    assert findings(site) == {}


def test_a_bridge_that_the_daemon_did_not_make_is_made(site: Site) -> None:
    """As after a start of the host: a machine that needs it starts all the same."""
    site.ok("ioc", "stop", "enemy")
    subprocess.run(["ip", "link", "delete", bridge_name(site.name, "controls")], check=True)
    site.ok("ioc", "start", "enemy")
    site.ok("up", "--yes")
    site.assert_green()
    assert_victim_answers(site)


def test_purge_takes_them_away(site: Site) -> None:
    site.ok("down", "--purge", "--yes")
    assert site.leftovers() == []
