"""A capture on all links while sandboxes are made, used, killed and removed: nothing crosses."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from copies import CLIENTS, Copy, links_of, macs_of, on_host
from harness import Site, until
from watch import Frame, Watch, watching

from linacre.engines.incus.cable import bridge_name

pytestmark = pytest.mark.timeout(900)
_IP, _ARP = b"\x08\x00", b"\x08\x06"


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up."""
    site = make_site("sbw")
    site.ioc("a", 11)
    site.ioc("b", 12)
    site.up()
    return site


def _mac(link: str) -> str:
    return Path(f"/sys/class/net/{link}/address").read_text().strip()


def _crossed(watch: Watch, links: set[str], own: set[str]) -> list[Frame]:
    """Return the frames on some links that nobody sent who belongs there."""
    return [f for f in watch.on(links) if f.source not in own and not f.is_of_cable]


def _is_probe(frame: Frame) -> bool:
    return frame.kind == _ARP and frame.addresses[0] == "0.0.0.0"


def _use(site: Site, copies: list[Copy]) -> None:
    asked = [f"{site.prefix(ioc)}READI" for ioc in ("a", "b")]
    for environment in (*(each.environment() for each in copies), {}):
        for name, client in CLIENTS.items():
            # caproto knows no network by itself.
            if environment or name != "caproto":
                assert on_host(client, asked, environment) == [2.5, 2.5]


def test_no_frame_of_one_is_on_another(site: Site) -> None:
    one, two = Copy(site, "one"), Copy(site, "two")
    bridge = bridge_name(site.name, "controls")
    with watching() as watch:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: site.ok("sandbox", "create", each.name), (one, two)))
        host = _mac(bridge)
        hosts_own = {_mac(each.bridge) for each in (one, two)}
        subnets = [ipaddress.ip_network(_access(site, each)) for each in (one, two)]
        _use(site, [one, two])
        _kill_the_daemon(site, one)
        _kill_an_init(site, one)
        site.ok("up", "--yes", "-f", str(one.folder))
        site.ok("down", "-f", str(two.folder))
        site.ok("up", "--yes", "-f", str(two.folder))
        _use(site, [one, two])
        site.ok("sandbox", "delete", "--yes", "one", "two")
    assert watch.on({bridge}), "nothing was seen: the capture does not work"
    assert _crossed(watch, links_of(site.name), macs_of(site, site.name) | {host}) == []
    for each in (one, two):
        assert watch.on({each.bridge})
        strange = _crossed(watch, each.links(), each.macs())
        # The host asks who has an address (RFC 5227), and says no more.
        assert [f for f in strange if not (f.source in hosts_own and _is_probe(f))] == []
    _check_hosts_ends(watch, site, {one.hosts_end: subnets[0], two.hosts_end: subnets[1]})
    # By lo a client of this host speaks with itself: with its repeater, say.
    own = {one.hosts_end, two.hosts_end, "lo"}
    known = links_of(site.name) | one.links() | two.links() | own
    elsewhere = [f for f in watch.frames if f.link not in known and _is_of(f, site, subnets)]
    assert elsewhere == []


def _access(site: Site, copy: Copy) -> str:
    (found,) = json.loads(site.ok("sandbox", "show", copy.name, "--json").out)["access"]
    return found


def _check_hosts_ends(watch: Watch, site: Site, subnets: dict[str, ipaddress.IPv4Network]) -> None:
    """Fail unless the host and a gateway speak of the subnet of the two alone, and only IP."""
    for link, subnet in subnets.items():
        for frame in watch.on({link}):
            assert frame.kind in (_IP, _ARP), frame
            assert all(ipaddress.ip_address(each) in subnet for each in frame.addresses), frame


def _is_of(frame: Frame, site: Site, subnets: list[ipaddress.IPv4Network]) -> bool:
    inside = [ipaddress.ip_network(f"{site.subnet}.0/24"), *subnets]
    found = [ipaddress.ip_address(each) for each in frame.addresses]
    return any(each in network for each in found for network in inside)


def _kill_the_daemon(site: Site, copy: Copy) -> None:
    text = (copy.paths.incus / "daemon.pid").read_text()
    pid = int(text.split()[0])
    site.kill(pid)
    until(lambda: not Path(f"/proc/{pid}").exists())


def _kill_an_init(site: Site, copy: Copy) -> None:
    text = (copy.paths.cables / "inits" / "a").read_text()
    pid = int(text.split()[0])
    site.kill(pid)
    until(lambda: not Path(f"/proc/{pid}").exists())
