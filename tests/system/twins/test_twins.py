"""A twin beside its live IOC: tried out, swapped in, swapped back, kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import Command
from harness import DATABASE, Site, until

from linacre.engines.incus.cable import bridge_name, veth_name

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up; one of them has a twin with another read-back."""
    site = make_site("twin")
    site.ioc("a", 11, persistent=["autosave"])
    site.ioc("b", 12, after=["a"])
    site.up()
    site.inside("a", "echo 42 > /srv/persist/autosave/a.sav")
    site.twin("a", "--source", str(changed(site, "8.5")))
    return site


def changed(site: Site, value: str) -> Path:
    """Return a copy of the files of IOC a with another read-back."""
    folder = site.root / "changed"
    folder.mkdir(exist_ok=True)
    source = site.folder / "iocs/a"
    (folder / "st.cmd").write_text((source / "st.cmd").read_text())
    (folder / "ioc.db").write_text(DATABASE.replace('"2.5"', f'"{value}"'))
    return folder


def value(site: Site, name: str, *, network: str = "controls") -> str:
    """Return the read-back of an IOC, as the desk of a network gets it."""
    pv = f"{site.prefix(name)}READI"
    done = site.run("exec", "--network", network, "--", "caget", "-t", "-w", "2", pv)
    return done.out.strip()


@contextmanager
def monitor(site: Site) -> Iterator[Command]:
    """Hold a camonitor of a's read-back at the desk, connected."""
    process = site.spawn("exec", "--", "camonitor", f"{site.prefix('a')}READI")
    assert process.stdout is not None
    assert "2.5" in process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_twin_runs_beside_the_live_one(site: Site) -> None:
    assert site.on("controls") == {"a", "b", "desk-controls"}
    assert site.on("controls-twins") == {"a-twin", "desk-controls-twins"}
    assert value(site, "a") == "2.5"
    assert value(site, "a", network="controls-twins") == "8.5"
    assert site.inside("a-twin", "cat /srv/persist/autosave/a.sav").out == "42\n"
    row = site.assert_green()["a"]
    assert (row["live"], row["twin"]) == ("a", "a-twin")
    assert "have a twin, and stay as they are until ioc promote: a" in site.ok("plan").out


def test_both_twins_have_one_address_and_one_mac(site: Site) -> None:
    shown = [site.inside(m, "ip -json address show dev eth0").out for m in ("a", "a-twin")]
    links = [json.loads(text)[0] for text in shown]
    assert links[0]["address"] == links[1]["address"]
    addresses = [link["addr_info"][0]["local"] for link in links]
    assert addresses == [site.address("a")] * 2


def test_an_up_leaves_both_as_they_are(site: Site) -> None:
    runs = [site.identity(machine, "softIoc") for machine in ("a", "a-twin")]
    site.source("a", {"ioc.db": DATABASE + "# edited\n"})
    try:
        assert "nothing to change" in site.ok("up").err
    finally:
        site.source("a", {"ioc.db": DATABASE})
    assert all(each.is_alive for each in runs)


def test_a_swap_asks_first_and_says_who_is_connected(site: Site) -> None:
    with monitor(site):
        done = site.run("ioc", "swap", "a")
    assert done.status == 1
    assert "a goes out and a-twin comes in; 1 client is connected (" in done.err
    assert "by Channel Access) and must connect anew. Swap?" in done.err
    assert done.err.endswith("nothing was changed\n")
    assert "a-twin" not in site.on("controls")


def test_a_swap_and_the_way_back(site: Site) -> None:
    runs = [site.identity(machine, "softIoc") for machine in ("a", "a-twin")]
    put = f"{site.prefix('a')}SETI"
    site.ok("exec", "--", "caput", put, "3.25")
    site.ok("exec", "--network", "controls-twins", "--", "caput", put, "6.75")
    with monitor(site) as client:
        done = site.ok("ioc", "swap", "a", "--yes", "--json")
        told = json.loads(done.out)
        assert (told["live"], told["unplugged"]) == ("a-twin", "a")
        assert site.on("controls") == {"a-twin", "b", "desk-controls"}
        assert "a" not in site.on("controls-twins")
        assert value(site, "a") == "8.5"
        # A client that stays connected is told: it is not left with a dead circuit.
        assert client.stdout is not None
        seen = until(lambda: client.stdout and client.stdout.readline())
        assert "disconnected" in seen.lower()
        assert "8.5" in client.stdout.readline()
    setting = ("exec", "--", "caget", "-t", put)
    assert site.ok(*setting).out.strip() == "6.75"
    assert site.status()["a"]["files"] == "twin's"
    site.assert_green()
    site.ok("ioc", "swap", "a", "--yes")
    assert value(site, "a") == "2.5"
    assert site.ok(*setting).out.strip() == "3.25"
    assert site.on("controls") == {"a", "b", "desk-controls"}
    assert all(each.is_alive for each in runs), "a swap restarts nothing"


def test_a_cable_is_pulled_and_plugged_in(site: Site) -> None:
    run = site.identity("a", "softIoc")
    with monitor(site):
        done = site.run("ioc", "unplug", "a")
        assert done.status == 1
        assert "1 client is connected" in done.err
    site.ok("ioc", "unplug", "a", "--yes")
    assert "a" not in site.on("controls")
    row = site.status()["a"]
    assert (row["cable"], row["green"], row["ioc"]) == ("unplugged", False, "up")
    assert value(site, "a") == ""
    site.ok("ioc", "restart", "a")
    assert "a" not in site.on("controls")
    site.ok("ioc", "plug", "a")
    assert value(site, "a") == "2.5"
    assert not run.is_alive
    # The twin lost its place in the sandbox at the swap back.
    site.ok("ioc", "plug", "a", "--twin")
    assert value(site, "a", network="controls-twins") == "8.5"


def test_cables_moved_by_hand_are_brought_back_by_up(site: Site) -> None:
    runs = [site.identity(machine, "softIoc") for machine in ("a", "b")]
    moved = ("b", "desk-controls")
    for machine in moved:
        link = veth_name(site.name, machine)
        subprocess.run(["ip", "link", "set", "dev", link, "nomaster"], check=True)
    assert not site.on("controls") & set(moved)
    said = site.up().err
    for machine in moved:
        assert f"plug {machine} into controls: its cable was moved or shut" in said
    assert value(site, "b") == "2.5"
    assert all(each.is_alive for each in runs)


def test_a_cable_in_a_wrong_bridge_shut_or_gone_is_brought_back_by_up(site: Site) -> None:
    links = {machine: veth_name(site.name, machine) for machine in ("a", "b", "desk-controls")}
    other = bridge_name(site.name, "controls-twins")
    a, b = (site.identity(machine, "softIoc") for machine in ("a", "b"))
    for orders in (
        ["set", "dev", links["a"], "master", other],
        ["set", "dev", links["desk-controls"], "down"],
        ["delete", "dev", links["b"]],
    ):
        subprocess.run(["ip", "link", *orders], check=True)
    checks = json.loads(site.run("doctor", "--json").out)["checks"]
    told = {f["what"]: f["text"] for c in checks if c["check"] == "cable" for f in c["findings"]}
    assert told == {
        "a": "plugged into controls-twins, recorded as plugged into controls",
        "desk-controls": "its cable is shut: nothing passes",
        "b": "its cable is gone: nothing leads into it or out of it",
    }
    said = site.up().err
    assert "will restart: b" in said
    for title in (
        "plug a into controls: its cable was moved or shut",
        "plug desk-controls into controls: its cable was moved or shut",
        "stop b: its cable is gone",
    ):
        assert title in said
    assert a.is_alive and not b.is_alive
    assert site.on("controls") >= set(links)
    assert (value(site, "a"), value(site, "b")) == ("2.5", "2.5")
    assert json.loads(site.ok("plan", "--json").out)["steps"] == []


def test_what_cannot_be_plugged_is_refused(site: Site) -> None:
    done = site.run("ioc", "plug", "a", "--twin", "--network", "controls")
    assert done.status == 1
    assert "a is on controls with the same address: linacre ioc swap a exchanges" in done.problem
    done = site.run("ioc", "plug", "a", "--network", "elsewhere")
    assert done.status == 2
    assert "write controls or controls-twins" in done.problem
    done = site.run("ioc", "swap", "b", "--yes")
    assert done.status == 2
    assert "b has no twin to swap with: linacre ioc twin b makes one" in done.problem
    done = site.run("ioc", "twin", "b", "--source", "nowhere")
    assert done.status == 2
    assert "--source nowhere is not a folder" in done.problem
    done = site.run("ioc", "swap", "nobody", "--yes")
    assert done.status == 2
    assert "has no IOC nobody; it has: a, b" in done.problem


def test_a_twin_that_does_not_serve_is_not_swapped_in(site: Site) -> None:
    site.ok("ioc", "stop", "a", "--twin")
    done = site.run("ioc", "swap", "a", "--yes")
    assert done.status == 1
    assert "a-twin does not serve, and would be the live one" in done.problem
    assert value(site, "a") == "2.5"
    site.ok("ioc", "start", "a", "--twin")
    assert "a-twin" in site.on("controls-twins")


def test_a_twin_gets_other_files(site: Site) -> None:
    live, twin = site.identity("a", "softIoc"), site.identity("a-twin", "softIoc")
    folder = str(changed(site, "9.5"))
    done = site.run("ioc", "twin", "a", "--source", folder)
    assert done.status == 1
    assert "This replaces the files of a-twin" in done.err
    site.twin("a", "--source", folder)
    assert value(site, "a", network="controls-twins") == "9.5"
    assert live.is_alive
    assert not twin.is_alive
    site.ok("ioc", "swap", "a", "--yes")
    done = site.run("ioc", "twin", "a")
    assert done.status == 1
    assert "it was the live one, and the way back to it is lost" in done.err


def test_the_twin_is_kept_and_so_are_its_files(site: Site) -> None:
    kept = site.identity("a-twin", "softIoc")
    done = site.run("ioc", "promote", "a")
    assert done.status == 1
    assert "removes a for good, with its persistent folder" in done.err
    site.ok("ioc", "promote", "a", "--yes")
    assert site.on("controls") == {"a-twin", "b", "desk-controls"}
    assert site.on("controls-twins") == set()
    done = site.ok("up")
    assert "nothing to change" in done.err
    assert "a keeps the files of" in done.err
    assert site.status()["a"]["files"] == "twin's"
    site.ok("ioc", "restart", "a")
    assert not kept.is_alive
    assert value(site, "a") == "9.5"
    # What was tried out becomes what is declared: nothing is restarted for that.
    kept = site.identity("a-twin", "softIoc")
    site.source("a", {"ioc.db": DATABASE.replace('"2.5"', '"9.5"')})
    assert "update a-twin: files" in site.ok("up").err
    assert "nothing to change" in site.ok("up").err
    assert site.status()["a"]["files"] == "clean"
    assert kept.is_alive
    # From then on it is an IOC as any other.
    site.source("a", {"ioc.db": DATABASE})
    assert "restart the IOC a-twin" in site.ok("up", "--yes").err
    assert value(site, "a") == "2.5"
    done = site.run("ioc", "promote", "a", "--yes")
    assert done.status == 2
    assert "a has one machine only, a-twin: nothing to promote" in done.problem


def test_a_twin_of_a_promoted_one(site: Site) -> None:
    site.twin("a")
    assert site.on("controls-twins") == {"a", "desk-controls-twins"}
    site.ok("ioc", "swap", "a", "--yes")
    site.ok("ioc", "promote", "a", "--yes")
    assert site.on("controls") == {"a", "b", "desk-controls"}
    assert "nothing to change" in site.up().err
    assert not site.status()["a"]["twin"]


def test_all_of_it_is_in_the_history(site: Site) -> None:
    verbs = {task["verb"] for task in site.tasks()}
    assert {"ioc twin", "ioc swap", "ioc plug", "ioc unplug", "ioc promote"} <= verbs
