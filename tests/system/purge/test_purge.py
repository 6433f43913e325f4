"""`down --purge` leaves nothing on the host, whatever had happened before."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of one IOC, declared and not up."""
    site = make_site("purge")
    site.ioc("a", 11)
    site.write()
    return site


def assert_nothing_left(site: Site) -> None:
    assert site.leftovers() == []
    assert not site.state.facility(site.name).root.exists()


def test_a_purge_asks_first_and_says_what_is_lost(site: Site) -> None:
    site.up()
    site.inside("a", "echo kept > /srv/persist/state\n")
    done = site.run("down", "--purge")
    assert done.status == 1
    assert "1 IOC machines with their persistent folders and logs: a" in done.err
    assert done.err.endswith("nothing was removed\n")
    site.assert_green()


def test_a_purge_leaves_nothing(site: Site, timings: dict[str, float]) -> None:
    done = site.ok("down", "--purge", "--yes")
    timings["one IOC: down --purge"] = done.took_s
    assert done.err == f"{site.name}: removed\n"
    assert_nothing_left(site)
    assert "there was nothing to remove" in site.ok("down", "--purge", "--yes").err
    assert_nothing_left(site)


def test_a_facility_made_anew_has_nothing_of_the_old_one(site: Site) -> None:
    site.up()
    assert site.inside("a", "ls /srv/persist\n").out == ""
    assert len(site.tasks()) == 1


def test_a_purge_of_a_facility_that_is_down(site: Site) -> None:
    site.ok("down")
    site.ok("down", "--purge", "--yes")
    assert_nothing_left(site)


def test_a_purge_after_the_daemon_was_killed(site: Site) -> None:
    site.up()
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    site.ok("down", "--purge", "--yes")
    assert_nothing_left(site)


def test_a_purge_after_everything_was_killed_and_the_daemon_is_broken(site: Site) -> None:
    site.up()
    incus = site.state.facility(site.name).incus
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    for pid in [pid for name in site.machines for pid in site.processes(name)]:
        site.kill(pid)
    database = incus / "daemon/database"
    for file in database.rglob("*"):
        if file.is_file():
            file.write_bytes(b"broken")
    done = site.run("up", "--yes")
    assert done.status == 1
    assert "incusd ended" in done.problem
    site.ok("down", "--purge", "--yes")
    assert_nothing_left(site)
