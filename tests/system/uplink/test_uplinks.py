"""Machines on the site's network: found from there by broadcast, careful of what is there."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

import pytest
from harness import Site, until
from host_clients import AIOCA, P4P
from sites_network import SitesNetwork, addresses, ip, master

from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.links import link_there
from linacre.engines.incus.uplink import joint_names, missing_joint
from linacre.kinds.addresses import mac_address

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def blank(make_site: Callable[..., Site]) -> Site:
    """A facility of two IOCs, declared and not up."""
    site = make_site("uplink")
    site.ioc("mag", 11)
    site.ioc("bpm", 12)
    return site


@pytest.fixture(scope="module")
def far(blank: Site) -> Iterator[SitesNetwork]:
    """The site's network, of the facility's subnet; this host is on it by a NIC."""
    network = SitesNetwork(blank.subnet)
    try:
        network.make()
        yield network
    finally:
        network.remove()


@pytest.fixture(scope="module")
def site(blank: Site, far: SitesNetwork) -> Site:
    """The facility, up by its NIC."""
    declare(blank, far.nic)
    blank.up()
    return blank


def declare(site: Site, uplink: str) -> None:
    site.network = {"uplink": uplink, "desk_address": f"{site.subnet}.250"}
    site.write()


def bridge_of_ours(site: Site) -> str:
    return bridge_name(site.name, "controls")


def pvs(site: Site) -> list[str]:
    return [f"{site.prefix(name)}READI" for name in site.iocs]


def assert_found(site: Site, far: SitesNetwork) -> None:
    assert far.read(AIOCA, *pvs(site)) == [2.5, 2.5]


def inits(site: Site) -> dict[str, int]:
    return {name: site.pid(name, "procServ") for name in site.iocs}


# -- what is refused, before anything is made


def refusal(site: Site, uplink: str) -> str:
    """Return what is said of an uplink that cannot be; no network may be made."""
    declare(site, uplink)
    plan, up = site.run("plan"), site.run("up", "--yes")
    for _ in range(4):
        # It may name interfaces of this host, and other tests make and remove some in between.
        if plan.problem != up.problem:
            plan, up = site.run("plan"), site.run("up", "--yes")
    assert plan.status == up.status == 2, (plan, up)
    assert plan.problem == up.problem
    assert not [each for each in site.leftovers() if each.startswith("network ")]
    assert re.match(r"linacre: .*facility\.yaml:\d+: networks\.controls\.uplink: ", up.problem)
    return up.problem.partition(": networks.controls.uplink: ")[2]


def test_an_interface_that_is_not_there(blank: Site, far: SitesNetwork) -> None:
    said = refusal(blank, "lt-nowhere")
    assert said.startswith("there is no interface lt-nowhere on this host; write ")
    assert far.bridge in said


def test_an_interface_with_an_address(blank: Site, far: SitesNetwork) -> None:
    ip("address", "add", "10.255.254.1/32", "dev", far.nic)
    try:
        said = refusal(blank, far.nic)
    finally:
        ip("address", "delete", "10.255.254.1/32", "dev", far.nic)
    assert said == (
        f"{far.nic} carries the host's address 10.255.254.1, and would lose it; "
        f"make a bridge over {far.nic}, give it the address, and write its name"
    )


def test_an_interface_in_a_bridge_and_the_loopback(blank: Site, far: SitesNetwork) -> None:
    ip("link", "set", far.nic, "master", far.bridge)
    try:
        said = refusal(blank, far.nic)
    finally:
        ip("link", "set", far.nic, "nomaster")
    assert said == f"{far.nic} is in the bridge {far.bridge} already; write {far.bridge}"
    assert refusal(blank, "lo").startswith("lo is this host's loopback; write ")


# -- by a NIC


def test_the_site_finds_pvs_by_broadcast(site: Site, far: SitesNetwork) -> None:
    assert_found(site, far)
    assert far.read(P4P, *pvs(site)) == [2.5, 2.5]
    address = site.address("mag")
    assert far.neighbour(address) == mac_address(site.name, IPv4Address(address))
    assert master(far.nic) == bridge_of_ours(site)
    assert addresses(bridge_of_ours(site)) == []


def test_an_address_that_another_has_is_not_started(site: Site, far: SitesNetwork) -> None:
    address = site.address("mag")
    site.ok("ioc", "stop", "mag")
    far.take(11)
    try:
        done = site.run("ioc", "start", "mag")
        assert done.status == 1
        assert done.problem == (
            f"linacre: mag is not started: {address} answers on controls already, at MAC address "
            f"{far.mac}: take that device off the network, or give mag another address"
        )
        up = site.run("up", "--yes")
        assert up.status == 1
        assert f"{address} answers on controls already" in up.problem
        assert site.status()["mag"]["machine"] == "stopped"
        # One that runs is not asked about: it is not to be stopped by whoever comes later.
        assert site.run("ioc", "start", "bpm").status == 0
    finally:
        far.give_up(11)
    site.ok("ioc", "start", "mag")
    assert_found(site, far)


def test_up_again_changes_nothing(site: Site) -> None:
    assert site.ok("plan").out == "nothing to change\n"


def test_what_is_pulled_out_comes_back_with_the_next_command(site: Site, far: SitesNetwork) -> None:
    before = inits(site)
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    until(lambda: not daemon.is_alive)
    ip("link", "set", far.nic, "nomaster")
    ip("link", "set", far.nic, "down")
    site.assert_green()
    assert missing_joint(bridge_of_ours(site), far.nic) is None
    assert_found(site, far)
    assert inits(site) == before


def test_machines_go_on_without_the_interface(site: Site, far: SitesNetwork) -> None:
    far.unplug()
    bridge = bridge_of_ours(site)
    site.assert_green()
    assert missing_joint(bridge, far.nic) == f"this host has no interface {far.nic}"
    site.ok("ioc", "restart", "bpm")
    site.ok("up", "--yes")
    far.plug()
    site.assert_green()
    assert_found(site, far)


def test_down_and_up_again(site: Site, far: SitesNetwork) -> None:
    site.ok("down")
    assert master(far.nic) is None
    site.up()
    assert_found(site, far)


# -- by a bridge, and without


def test_another_uplink_takes_the_place_of_the_first(site: Site, far: SitesNetwork) -> None:
    before = inits(site)
    declare(site, far.bridge)
    site.ok("up", "--yes")
    assert master(far.nic) is None
    ip("link", "set", far.nic, "master", far.bridge)
    assert_found(site, far)
    assert far.read(P4P, *pvs(site)) == [2.5, 2.5]
    ours, theirs = joint_names(bridge_of_ours(site))
    assert (master(ours), master(theirs)) == (bridge_of_ours(site), far.bridge)
    assert inits(site) == before


def test_the_joint_to_a_bridge_comes_back(site: Site, far: SitesNetwork) -> None:
    ours, theirs = joint_names(bridge_of_ours(site))
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    ip("link", "delete", ours)
    site.assert_green()
    assert_found(site, far)
    ip("link", "set", theirs, "nomaster")
    site.assert_green()
    assert_found(site, far)


def test_down_leaves_no_end_of_the_joint(site: Site, far: SitesNetwork) -> None:
    site.ok("down")
    assert not any(map(link_there, joint_names(bridge_of_ours(site))))
    site.up()
    assert_found(site, far)


def test_an_uplink_taken_out_of_the_file_is_taken_off(site: Site, far: SitesNetwork) -> None:
    before = inits(site)
    site.network = {"desk_address": f"{site.subnet}.250"}
    site.up()
    assert not any(map(link_there, joint_names(bridge_of_ours(site))))
    assert addresses(bridge_of_ours(site)) == [f"{site.subnet}.1"]
    assert inits(site) == before
    declare(site, far.bridge)
    site.up()
    assert addresses(bridge_of_ours(site)) == []
    assert_found(site, far)


def test_purge_frees_the_interface(site: Site, far: SitesNetwork) -> None:
    ip("link", "set", far.nic, "nomaster")
    declare(site, far.nic)
    site.up()
    site.ok("down", "--purge", "--yes")
    assert site.leftovers() == []
    assert link_there(far.nic)
    assert master(far.nic) is None
