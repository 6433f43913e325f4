"""After a swap, whatever is killed: exactly one of the two is on the network, the right one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import Site, steps, until

from linacre.engines.incus.cable import veth_name
from linacre.engines.incus.netns import socket_in

pytestmark = pytest.mark.timeout(600)

KILLED = -9
PAIR = {"a", "a-twin"}


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of one IOC with a twin, and the twin is live."""
    site = make_site("swap")
    site.settings = {"autostart": True}
    site.ioc("a", 11)
    site.up()
    site.twin("a")
    site.ok("ioc", "swap", "a", "--yes")
    return site


def assert_live(site: Site, machine: str) -> None:
    """Fail unless exactly this one of the two is on the network and serves there."""
    assert site.on("controls") & PAIR == {machine}
    row = site.assert_green()["a"]
    assert (row["live"], row["cable"]) == (machine, "controls")
    pv = f"{site.prefix('a')}READI"
    assert site.ok("exec", "--", "caget", "-t", "-w", "10", pv).out.strip() == "2.5"


@pytest.mark.parametrize("option", [[], ["--twin"]])
def test_a_restart_of_either_machine(site: Site, option: list[str]) -> None:
    site.ok("ioc", "stop", "a", *option)
    site.ok("ioc", "start", "a", *option)
    assert_live(site, "a-twin")
    site.ok("ioc", "restart", "a", *option)
    assert_live(site, "a-twin")


@pytest.mark.parametrize("machine", sorted(PAIR))
def test_a_kill_of_either_machine(site: Site, machine: str) -> None:
    for pid in site.processes(machine):
        site.kill(pid)
    until(lambda: not site.processes(machine))
    assert site.on("controls") & PAIR <= {"a-twin"}
    site.up()
    assert len(site.processes(machine)) > 0
    assert_live(site, "a-twin")


def test_a_kill_of_the_daemon(site: Site) -> None:
    daemon = site.daemon()
    assert daemon is not None
    daemon.kill(signal.SIGKILL)
    until(lambda: not daemon.is_alive)
    assert_live(site, "a-twin")
    for option in ([], ["--twin"]):
        site.ok("ioc", "stop", "a", *option)
    site.up()
    assert_live(site, "a-twin")


def kill_everything(site: Site) -> None:
    names = (*PAIR, "desk-controls", "desk-controls-twins")
    doomed = [pid for name in names for pid in site.processes(name)]
    monitors = [
        int(line.split()[1].rstrip(":")) for line in site.leftovers() if "[lxc monitor]" in line
    ]
    daemon = site.daemon()
    for pid in (*([daemon.pid] if daemon else []), *monitors, *doomed):
        site.kill(pid)
    until(lambda: not any(site.processes(name) for name in names))


def test_a_kill_of_everything(site: Site) -> None:
    kill_everything(site)
    site.ok("boot")
    assert_live(site, "a-twin")
    assert site.processes("a"), "the unplugged one runs too"


@pytest.mark.parametrize("step", steps(3))
def test_a_kill_of_a_swap_at_writes_to_the_journal(site: Site, step: int) -> None:
    kills = 0
    while True:
        kills += step
        live = site.status()["a"]["live"]
        (other,) = PAIR - {live}
        done = site.run("ioc", "swap", "a", "--yes", LINACRE_TEST_KILL_AFTER=str(kills))
        if done.status == 0:
            break
        assert done.status == KILLED, done
        assert len(site.on("controls") & PAIR) <= 1
        if kills % 2:
            # Started again before any command has looked: the hook knows one place for each.
            for machine in PAIR:
                for pid in site.processes(machine):
                    site.kill(pid)
            until(lambda: not any(site.processes(machine) for machine in PAIR))
            site.up()
        after = site.status()["a"]["live"]
        print(f"killed after write {kills}: {live} was live, {after} is")
        assert_live(site, after)
        assert after in (live, other)
        (unplugged,) = PAIR - {after}
        assert unplugged not in site.on("controls") | site.on("controls-twins")
    assert kills > 5
    assert_live(site, other)


def test_a_swap_cut_short_is_finished_and_said(site: Site) -> None:
    live = site.status()["a"]["live"]
    (other,) = PAIR - {live}
    # After its second step has begun: all is written down, and no cable has moved.
    done = site.run("ioc", "swap", "a", "--yes", LINACRE_TEST_KILL_AFTER="4")
    assert done.status == KILLED
    assert site.on("controls") & PAIR == {live}
    after = site.run("status", "--json")
    assert f"finished what was cut short: {other} is plugged into controls" in after.err
    assert_live(site, other)
    newest = next(task for task in site.tasks() if task["verb"] == "ioc swap")
    assert newest["state"] == "interrupted"


def test_two_swaps_at_once(site: Site) -> None:
    live = site.status()["a"]["live"]
    (other,) = PAIR - {live}
    both = [site.spawn("ioc", "swap", "a", "--yes") for _ in range(2)]
    ends = [process.communicate(timeout=60)[1] for process in both]
    codes = sorted(process.returncode for process in both)
    if codes == [0, 1]:
        refused = next(end for end, p in zip(ends, both, strict=True) if p.returncode == 1)
        assert f'{site.name} is being changed by "ioc swap a"' in refused
        assert_live(site, other)
    else:
        # The one had ended before the other began.
        assert codes == [0, 0], ends
        assert_live(site, live)


@contextmanager
def callers(site: Site) -> Iterator[None]:
    """Let clients at the desk connect and go again, all the time, for the block."""
    desk = min(site.processes("desk-controls"))
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            with socket_in(desk, socket.AF_INET, socket.SOCK_STREAM) as each:
                each.settimeout(0.2)
                with contextlib.suppress(OSError):
                    each.connect((site.address("a"), 5064))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in threads:
            each.join()


def test_swaps_while_clients_come_and_go(site: Site) -> None:
    """A reset of a connection that has just ended must not take the server's own socket."""
    live = site.status()["a"]["live"]
    with callers(site):
        for _ in range(4):
            site.ok("ioc", "swap", "a", "--yes")
    assert_live(site, live)
    site.ok("ioc", "swap", "a", "--yes")
    assert_live(site, *(PAIR - {live}))


_FAILS_ONCE = """\
#!/bin/sh
if [ "$1" = -batch ] && [ ! -e "$0.used" ]; then
    touch "$0.used"
    read -r line
    {ip} $line
    echo "RTNETLINK answers: No buffer space available"
    exit 1
fi
exec {ip} "$@"
"""


def failing_ip(site: Site, label: str) -> tuple[str, Path]:
    """Return a PATH on which `ip` fails once in the middle of a move, and that `ip`."""
    tool = site.root / label / "ip"
    tool.parent.mkdir()
    tool.write_text(_FAILS_ONCE.format(ip=shutil.which("ip")))
    tool.chmod(0o755)
    return f"{tool.parent}:{os.environ['PATH']}", tool


def test_a_move_that_cannot_be_finished_stops_no_command(site: Site) -> None:
    live = site.status()["a"]["live"]
    (other,) = PAIR - {live}
    done = site.run("ioc", "swap", "a", "--yes", LINACRE_TEST_KILL_AFTER="4")
    assert done.status == KILLED
    path, _ = failing_ip(site, "once")
    done = site.run("status", "--json", PATH=path)
    assert "cables are still to be moved, as was written down: " in done.err
    assert "No buffer space available" in done.err
    assert f'"live": "{other}"' in done.out
    assert not site.on("controls") & PAIR
    assert f"{other} is plugged into controls" in site.run("status").err
    assert_live(site, other)


def test_a_swap_that_fails_is_put_back(site: Site) -> None:
    """The kernel takes the first order of a move and refuses the second."""
    live = site.status()["a"]["live"]
    path, tool = failing_ip(site, "fails")
    done = site.run("ioc", "swap", "a", "--yes", PATH=path)
    assert done.status == 1
    assert tool.with_name("ip.used").exists()
    assert "No buffer space available" in done.problem
    assert done.problem.endswith(f"{live} is the live one as before")
    assert_live(site, live)


def test_a_twin_without_a_cable_is_not_swapped_in(site: Site) -> None:
    live = site.status()["a"]["live"]
    (other,) = PAIR - {live}
    subprocess.run(["ip", "link", "delete", veth_name(site.name, other)], check=True)
    done = site.run("ioc", "swap", "a", "--yes")
    assert done.status == 1
    assert f"{other} has lost its cable: linacre ioc stop a --twin" in done.problem
    assert_live(site, live)
    site.ok("ioc", "stop", "a", "--twin")
    site.ok("ioc", "start", "a", "--twin")
    site.ok("ioc", "swap", "a", "--yes")
    assert_live(site, other)
