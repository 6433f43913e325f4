"""Sandboxes of a facility: made at once, reached each by itself, changed, taken back, removed."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from copies import CLIENTS, Copy, on_host
from harness import DATABASE, Site, until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site], timings: dict[str, float]) -> Iterator[Site]:
    """A facility of two IOCs that is up, whose a has a set point of its own, and two sandboxes."""
    site = make_site("sbx")
    site.ioc("a", 11, persistent=["autosave"], area="S02")
    site.ioc("b", 12, after=["a"], area="S01")
    archiver = {"address": f"{site.subnet}.71", "pvs": [pv(site, "a", "SETI")], "disk": "64MiB"}
    site.settings = {
        "engine": {"kind": "incus", "pool_size": "2GiB"},
        "archivers": {"arch": archiver},
    }
    site.machines.add("arch")
    site.up()
    site.inside("a", "echo 42 > /srv/persist/autosave/a.sav")
    site.ok("exec", "--", "caput", f"{site.prefix('a')}SETI", "4.25")
    try:
        with ThreadPoolExecutor(2) as pool:
            for made in pool.map(lambda n: site.ok("sandbox", "create", n), ("one", "two")):
                timings[f"sandbox create {made.argv[-1]}, beside another"] = made.took_s
        yield site
    finally:
        site.run("sandbox", "delete", "--yes", *names(site))


@pytest.fixture
def one(site: Site) -> Copy:
    return Copy(site, "one")


@pytest.fixture
def two(site: Site) -> Copy:
    return Copy(site, "two")


def names(site: Site) -> list[str]:
    """Return the sandboxes that there are."""
    return [row["name"] for row in json.loads(site.ok("sandbox", "list", "--json").out)]


def pv(site: Site, ioc: str, record: str) -> str:
    return f"{site.prefix(ioc)}{record}"


def test_each_is_up_with_the_same_names_and_addresses(site: Site, one: Copy, two: Copy) -> None:
    for each in (one, two):
        status = each.status()
        assert {row["name"]: row["address"] for row in status["iocs"]} == {
            name: site.address(name) for name in site.iocs
        }
    rows = json.loads(site.ok("sandbox", "list", "--json").out)
    assert [(row["name"], row["stage"], row["iocs"]) for row in rows] == [
        ("one", "up", ["a", "b"]),
        ("two", "up", ["a", "b"]),
    ]


def test_set_points_and_persistent_folders_are_those_of_the_facility(site: Site, one: Copy) -> None:
    assert one.at_desk("caget", "-t", pv(site, "a", "SETI")) == "4.25"
    kept = "cat /srv/persist/autosave/a.sav\n"
    seen = site.ok("ioc", "shell", "a", "-f", str(one.folder), stdin=kept)
    assert "42" in seen.out


def test_clients_on_the_host_reach_the_one_they_mean(site: Site, one: Copy, two: Copy) -> None:
    one.at_desk("caput", pv(site, "a", "READI"), "111")
    two.at_desk("caput", pv(site, "a", "READI"), "222")
    asked = [pv(site, "a", "READI"), pv(site, "b", "READI")]
    facility = json.loads(site.ok("env", "--json").out)
    for client in CLIENTS.values():
        assert on_host(client, asked, one.environment()) == [111, 2.5]
        assert on_host(client, asked, two.environment()) == [222, 2.5]
        assert on_host(client, asked, facility) == [2.5, 2.5]


def test_a_client_that_asks_everybody_meets_no_sandbox(site: Site, one: Copy) -> None:
    one.at_desk("caput", pv(site, "b", "READI"), "333")
    for name in ("libca", "p4p"):
        assert on_host(CLIENTS[name], [pv(site, "b", "READI")], {}) == [2.5]


def test_nobody_but_the_host_comes_in(site: Site, one: Copy) -> None:
    inside = one.address("a")
    with socket.create_connection((inside, 5064), timeout=10):
        pass
    for where in ((), ("--sandbox", "two")):
        done = site.run("exec", *where, "--", "nc", "-z", "-w", "2", inside, "5064")
        assert done.status == 1, done


def test_nothing_leads_out_of_it_to_the_host(site: Site, one: Copy) -> None:
    for address in (f"{site.subnet}.1", one.address("gateway")):
        with socket.create_server(("", 0)) as server:
            port = str(server.getsockname()[1])
            done = site.run("exec", "--sandbox", "one", "--", "nc", "-z", "-w", "2", address, port)
        assert done.status == 1, done


def test_a_gateway_that_is_lost_is_brought_back(site: Site, one: Copy) -> None:
    subprocess.run(["ip", "link", "delete", one.hosts_end], check=True)
    asked = [pv(site, "a", "COUNT")]
    assert on_host(CLIENTS["libca"], asked, one.environment())[0] >= 0


def test_what_was_changed_is_shown_and_taken_back(site: Site, one: Copy) -> None:
    (one.folder / "iocs/a/ioc.db").write_text(DATABASE.replace('"2.5"', '"8.5"'))
    site.ok("up", "--yes", "-f", str(one.folder))
    one.at_desk("caput", pv(site, "b", "SETI"), "9")
    done = site.run("sandbox", "diff", "one", "--json")
    assert done.status == 1, done
    found = json.loads(done.out)
    assert [(each["path"], each["change"]) for each in found["files"]["a"]] == [
        ("ioc.db", "changed")
    ]
    assert found["files"]["b"] == []
    assert {"name": pv(site, "b", "SETI"), "facility": 1.5, "sandbox": 9.0} in found["set_points"]
    site.machines |= {"a-twin", "desk-controls-twins"}
    site.networks.add("controls-twins")
    taken = json.loads(site.ok("sandbox", "take", "one", "a", "--json").out)
    assert taken["twin"]["machine"] == "a-twin"
    there = ("exec", "--network", "controls-twins", "--", "caget", "-t", pv(site, "a", "READI"))
    assert site.ok(*there).out.strip() == "8.5"
    assert site.ok("exec", "--", "caget", "-t", pv(site, "a", "READI")).out.strip() == "2.5"
    site.ok("ioc", "promote", "a", "--yes")


def test_only_an_area_with_the_files_of_a_time(site: Site) -> None:
    past = Copy(site, "past")
    at = str(time.time())
    site.source("b", {"ioc.db": DATABASE.replace('"2.5"', '"7.5"')})
    site.up()
    site.ok("sandbox", "create", "past", "--only", "S01", "--at", at)
    assert [row["name"] for row in past.status()["iocs"]] == ["b"]
    assert past.at_desk("caget", "-t", pv(site, "b", "READI")) == "2.5"
    assert site.ok("exec", "--", "caget", "-t", pv(site, "b", "READI")).out.strip() == "7.5"
    site.ok("sandbox", "delete", "past", "--yes")
    assert past.left() == []


def archived(site: Site, name: str) -> float:
    """Return the newest value that the facility's archiver has of a PV."""
    url = f"http://{site.subnet}.71:17665/api/v1/last?{urlencode({'pv': name})}"
    with urlopen(url, timeout=30) as answer:
        (found,) = json.load(answer)
    return found["value"]


def test_set_points_of_a_time_are_those_of_the_archive(site: Site) -> None:
    past, name = Copy(site, "past"), pv(site, "a", "SETI")
    times: list[float] = []
    for wanted in (6, 7):
        site.ok("exec", "--", "caput", name, str(wanted))
        until(lambda wanted=wanted: archived(site, name) == wanted)
        times.append(time.time())
    site.ok("sandbox", "create", "past", "--only", "a", "--at", str(times[0]))
    assert past.at_desk("caget", "-t", name) == "6"
    site.ok("sandbox", "delete", "past", "--yes")


def test_names_and_times_are_checked(site: Site) -> None:
    for words, said in {
        ("create", "one"): "there is a sandbox one already",
        ("create", "One"): "is no host name",
        ("create", "x", "--only", "S99"): "has no IOC and no area S99",
        ("create", "x", "--at", "+1h"): "is not a time that was",
        ("create", "x", "--at", "2001-01-01T00:00:00Z"): "its history is younger",
        ("create", "x", "--for", "long"): "is not a length of time",
        ("show", "none"): "has no sandbox none; it has: one, two",
        ("delete",): "write the sandbox to delete",
    }.items():
        done = site.run("sandbox", *words)
        assert done.status == 2, done
        assert said in done.problem
    assert names(site) == ["one", "two"]


@pytest.mark.parametrize("written", [1, 4])
def test_a_making_that_is_cut_short_is_begun_anew(site: Site, written: int) -> None:
    cut = Copy(site, "cut")
    done = site.run("sandbox", "create", "cut", LINACRE_TEST_KILL_AFTER=str(written))
    assert done.status == -9, done
    row = json.loads(site.ok("sandbox", "show", "cut", "--json").out)
    assert row["stage"] == "cut short"
    again = site.ok("sandbox", "create", "cut")
    assert "was cut short: it is begun anew" in again.err
    cut.status()
    site.ok("sandbox", "delete", "cut", "--yes")
    assert cut.left() == []


def test_one_whose_time_is_over_is_told_and_removed(site: Site, one: Copy, two: Copy) -> None:
    file = two.paths.root / "facility.json"
    note = json.loads(file.read_text())
    note["sandbox"]["expires_at"] = note["sandbox"]["made_at"]
    file.write_text(json.dumps(note))
    line = "sandbox two (of"
    assert line in site.ok("up", "--yes").err
    assert line in site.run("boot").err
    asked = site.run("sandbox", "delete", "--expired")
    assert asked.status == 1 and names(site) == ["one", "two"]
    removed = json.loads(site.ok("sandbox", "delete", "--expired", "--yes", "--json").out)
    assert removed == {"removed": ["two"]}
    assert two.left() == []
    one.status()


def test_a_facility_with_sandboxes_is_not_purged(site: Site) -> None:
    done = site.run("down", "--purge", "--yes")
    assert done.status == 2, done
    assert "has sandboxes (one" in done.problem
    site.assert_green()


def test_a_removal_that_is_cut_short_is_finished(site: Site, one: Copy) -> None:
    command = site.spawn("sandbox", "delete", "one", "--yes")
    until(lambda: not one.paths.cables.exists() or command.poll() is not None)
    command.kill()
    command.communicate()
    if names(site):
        site.ok("sandbox", "delete", "one", "--yes")
    assert names(site) == []
    assert one.left() == []
    assert not one.paths.root.exists()
    site.assert_green()
