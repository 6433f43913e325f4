"""Two networks of a facility, with real machines: apart, unless the file joins them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(300)
CONSOLE = 7001


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    """A facility with an IOC on each of two networks."""
    site = make_site("apart")
    site.ioc("near", 11, network="controls")
    site.ioc("far", 140, network="office")
    site.networks.add("office")
    site.machines.add("desk-office")
    declare(site)
    site.up()
    return site


def declare(site: Site, *routes: dict[str, Any]) -> None:
    site.settings["networks"] = {
        "controls": {"subnet": f"{site.subnet}.0/25"},
        "office": {"subnet": f"{site.subnet}.128/25", "routes": routes},
    }
    site.write()


def reaches(site: Site, machine: str, address: str, port: int) -> bool:
    """Tell whether a machine comes to a port."""
    script = f"timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/{port}'"
    done = site.inside(machine, script)
    assert done.status in (0, 124), done
    return done.status == 0


def test_networks_are_apart_until_a_route_joins_them(site: Site) -> None:
    near, far = site.address("near"), site.address("far")
    assert reaches(site, "near", near, CONSOLE)
    assert not reaches(site, "far", near, CONSOLE)
    (check,) = (
        each
        for each in json.loads(site.run("doctor", "--json").out)["checks"]
        if each["check"] == "walls"
    )
    (finding,) = check["findings"]
    assert finding["what"] == "far" and finding["text"].endswith(" to other networks: dropped")

    ports = [f"{CONSOLE}/tcp", "5064/tcp", "5064/udp"]
    declare(site, {"to": "controls", "ports": ports})
    said = site.ok("up", "--yes").err
    assert "change the network controls" in said and "change the network office" in said
    assert "restart" not in said
    assert reaches(site, "far", near, CONSOLE)
    assert not reaches(site, "near", far, CONSOLE)
    pv = f"{site.prefix('near')}READI"
    command = f"EPICS_CA_AUTO_ADDR_LIST=NO EPICS_CA_ADDR_LIST={near} caget -t -w 10 {pv}"
    assert site.inside("desk-office", command).out.strip() == "2.5"

    declare(site)
    site.ok("up", "--yes")
    assert not reaches(site, "far", near, CONSOLE)
    site.assert_green()


def test_a_route_that_cannot_be_is_refused(site: Site) -> None:
    for target, words in {
        "nowhere": "there is no network nowhere",
        "office": "machines on office reach one another; remove the route",
        "host": "missing beside it: ports",
    }.items():
        declare(site, {"to": target})
        done = site.run("up", "--yes")
        assert done.status == 2 and f": {words}" in done.err, done
        assert "networks.office.routes" in done.err
    declare(site)
