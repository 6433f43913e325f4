"""What is killed comes back: an IOC, its procServ, a machine, the daemon, everything."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from harness import Site, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up."""
    site = make_site("kill")
    site.ioc("a", 11)
    site.ioc("b", 12, after=["a"])
    site.up()
    return site


def value(site: Site, name: str) -> str:
    """Return the read-back of an IOC, as the desk gets it."""
    return site.ok("exec", "--", "caget", "-t", "-w", "10", f"{site.prefix(name)}READI").out


def is_green(site: Site, name: str) -> bool:
    return site.status()[name]["green"]


def test_an_ioc_that_is_killed_is_started_again(site: Site) -> None:
    ioc, procserv = site.identity("a", "softIoc"), site.identity("a", "procServ")
    other = site.identity("b", "softIoc")
    ioc.kill(signal.SIGKILL)
    until(lambda: site.status()["a"]["starts"] == 2 and is_green(site, "a"))
    assert procserv.is_alive
    assert other.is_alive
    assert not ioc.is_alive
    assert value(site, "a") == "2.5\n"


def test_a_procserv_that_is_killed_is_started_again(site: Site) -> None:
    ioc, procserv = site.identity("a", "softIoc"), site.identity("a", "procServ")
    other = site.identity("b", "softIoc")
    procserv.kill(signal.SIGKILL)
    until(lambda: not procserv.is_alive)
    until(lambda: is_green(site, "a"))
    assert not ioc.is_alive, "an IOC outlived its procServ: it would keep the ports"
    assert other.is_alive
    assert value(site, "a") == "2.5\n"


def test_a_machine_that_is_killed_is_seen_and_started_by_up(site: Site) -> None:
    other = site.identity("b", "softIoc")
    inits = [pid for pid, line in site.processes("a").items() if "runit" in line or "init" in line]
    killed = site.identity("a", "softIoc")
    for pid in inits:
        site.kill(pid)
    until(lambda: not killed.is_alive)
    until(lambda: site.status()["a"]["machine"] == "stopped")
    assert "start a" in site.up().err
    assert other.is_alive


def test_iocs_go_on_without_the_daemon_and_the_next_command_starts_it(site: Site) -> None:
    iocs = [site.identity(name, "softIoc") for name in ("a", "b")]
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    until(lambda: not daemon.is_alive)
    site.assert_green()
    assert all(ioc.is_alive for ioc in iocs)
    after = site.daemon()
    assert after is not None
    assert after != daemon
    assert "nothing to change" in site.ok("up").err
    assert value(site, "b") == "2.5\n"
    assert site.ok("ioc", "restart", "a").status == 0
    site.ok("ioc", "stop", "b")
    site.up()


def test_everything_killed_is_brought_back_by_up(site: Site) -> None:
    site.inside("a", "echo kept > /srv/persist/state; sync\n")
    names = ("a", "b", "desk-controls")
    doomed = [pid for name in names for pid in site.processes(name)]
    daemon = site.daemon()
    assert daemon is not None
    monitors = [
        int(line.split()[1].rstrip(":")) for line in site.leftovers() if "[lxc monitor]" in line
    ]
    for pid in (daemon.pid, *monitors, *doomed):
        site.kill(pid)
    until(lambda: not any(site.processes(name) for name in names))
    # The worst case: mounts and the loop device are still there.
    assert any(each.startswith("mount") for each in site.leftovers())
    status = site.run("status", "--json")
    assert status.status == 1
    site.up()
    assert value(site, "b") == "2.5\n"
    assert site.inside("a", "cat /srv/persist/state\n").out == "kept\n"
    assert "nothing to change" in site.ok("up").err
    loops = [each for each in site.leftovers() if each.startswith("loop")]
    assert len(loops) == 1


def test_an_ioc_that_ends_at_once_is_a_visible_restart_loop(site: Site) -> None:
    site.ioc("sick", 13, kind="python", script="ioc.py")
    site.source("sick", {"ioc.py": 'raise RuntimeError("no magnet")\n'})
    site.write()
    try:
        done = site.run("up", "--yes")
        assert done.status == 1
        assert "the IOC sick ends at its start" in done.problem
        assert "(its last word: RuntimeError: no magnet)" in done.problem
        assert "see linacre ioc log sick" in done.problem
        until(lambda: site.status()["sick"]["ioc"] == "restart loop")
        rows = site.status()
        assert not rows["sick"]["green"]
        assert rows["a"]["green"]
        assert rows["b"]["green"]
        assert site.run("status").status == 1
        again = site.run("up", "--yes")
        assert again.status == 1
        assert "sick" in again.problem
        site.ioc("sick", 13)
        site.write()
        mended = site.run("up", "--yes")
        assert mended.status == 0, mended
        site.assert_green()
    finally:
        del site.iocs["sick"]
        site.up("--prune")
