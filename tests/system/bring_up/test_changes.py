"""What `up` changes, and what it leaves alone, when the facility file or an IOC's files change."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Site, until

from linacre.base.processes import ProcessId
from linacre.engines.telnet import TelnetFilter

pytestmark = pytest.mark.timeout(300)

PASSWORD_HASH = (
    "$6$linacretestsalt$vKe21sH1tk68uu76rFMY4k.1/y9S7aTxKtZVqNGTwStHaosqZGe2YQFq"
    ".dFhkzOU8PBQ/8ASlHsikuS7zfxNm/"
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up."""
    site = make_site("change")
    site.ioc("a", 11)
    site.ioc("b", 12)
    site.up()
    return site


def programs(site: Site, name: str) -> tuple[ProcessId, ProcessId]:
    """Return the procServ and the IOC of a machine."""
    return site.identity(name, "procServ"), site.identity(name, "softIoc")


def test_an_edited_file_touches_its_ioc_alone(site: Site) -> None:
    a, b = programs(site, "a"), programs(site, "b")
    database = site.folder / "iocs/a/ioc.db"
    database.write_text(database.read_text() + 'record(ai, "$(P)NEW") {}\n')
    plan = site.ok("plan").out
    assert plan.endswith("restarts: a\n")
    assert "b" not in [line.split()[-1] for line in plan.splitlines()]
    refused = site.run("up")
    assert refused.status == 1
    assert refused.err.splitlines()[-3:] == [
        "will restart: a",
        "This restarts a. Go on? There is no terminal to ask on: give --yes.",
        "nothing was changed",
    ]
    assert all(each.is_alive for each in (*a, *b))
    done = site.up()
    lines = done.err.splitlines()
    assert lines.index("will restart: a") < next(
        n for n, line in enumerate(lines) if "restart the IOC a" in line
    )
    assert not any(each.is_alive for each in a)
    assert programs(site, "b") == b
    assert site.status()["a"]["pvs"] == 4


def test_a_file_gone_from_the_source_is_gone_from_the_machine(site: Site) -> None:
    site.source("a", {"extra.txt": "x"})
    site.up()
    (site.folder / "iocs/a/extra.txt").unlink()
    site.up()
    assert "extra.txt" not in site.inside("a", "ls /srv/ioc\n").out


def test_a_changed_key_restarts_nothing(site: Site) -> None:
    before = programs(site, "a"), programs(site, "b")
    site.access = {"ssh_keys": [KEY]}
    site.write()
    assert "restarts" not in site.ok("plan").out
    assert "restart" not in site.up().err
    assert (programs(site, "a"), programs(site, "b")) == before
    found = site.inside("a", "cat /root/.ssh/authorized_keys\n").out
    assert found == KEY + "\n"
    site.access = {}
    site.up()
    assert site.inside("a", "cat /root/.ssh/authorized_keys\n").out == ""


def test_changed_limits_restart_nothing(site: Site) -> None:
    before = programs(site, "a"), programs(site, "b")
    site.iocs["a"]["limits"] = {"memory": "128MiB", "processes": 77}
    site.up()
    assert (programs(site, "a"), programs(site, "b")) == before
    groups = Path(f"/proc/{before[0][1].pid}/cgroup").read_text()
    pids = next(line for line in groups.splitlines() if ":pids:" in line or line[:3] == "0::")
    root = Path("/sys/fs/cgroup") / ("pids" if ":pids:" in pids else "")
    group = root / pids.split(":", 2)[2].lstrip("/")
    machine = next(p for p in (group, *group.parents) if p.name.startswith("lxc.payload"))
    assert (machine / "pids.max").read_text() == "77\n"


def test_a_changed_environment_restarts_its_ioc(site: Site) -> None:
    b = programs(site, "b")
    site.iocs["a"]["environment"] = {"IOC_DEBUG": "7"}
    assert "will restart: a" in site.up().err
    environment = Path(f"/proc/{site.pid('a', 'softIoc')}/environ").read_bytes()
    assert b"IOC_DEBUG=7" in environment.split(b"\0")
    assert programs(site, "b") == b


def test_a_changed_address_moves_its_ioc(site: Site) -> None:
    b, old = programs(site, "b"), site.address("a")
    site.iocs["a"]["address"] = f"{site.subnet}.77"
    site.write()
    assert "restarts: a" in site.ok("plan").out
    site.up()
    assert programs(site, "b") == b
    name = site.prefix("a") + "READI"
    assert site.ok("exec", "--", "caget", "-t", "-w", "10", name).out == "2.5\n"
    socket.create_connection((site.address("a"), 7001), timeout=10).close()
    with pytest.raises(OSError, match=r"timed out|No route"):
        socket.create_connection((old, 7001), timeout=2)
    assert site.ok("exec", "--", "getent", "hosts", "a").out.split()[0] == site.address("a")


def test_an_undeclared_machine_is_reported_and_removed_only_when_asked(site: Site) -> None:
    site.ioc("c", 13)
    a = programs(site, "a")
    site.up()
    c = programs(site, "c")
    declared = site.iocs.pop("c")
    said = site.up().err
    assert "no longer declared, left running: c (up --prune removes them)" in said
    assert all(each.is_alive for each in c)
    assert site.whole_status()["undeclared"] == ["c"]
    assert "nothing to change" in site.run("up").err
    site.up("--prune")
    assert not any(each.is_alive for each in c)
    assert site.whole_status()["undeclared"] == []
    assert programs(site, "a") == a
    site.iocs["c"] = declared
    site.up()
    assert site.inside("c", "ls /srv/persist\n").out == ""
    del site.iocs["c"]
    site.up("--prune")


def test_telnet_is_a_log_in_for_the_declared_user(site: Site) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address("b"), 23), timeout=10)
    b = programs(site, "b")
    site.access = {"telnet": {"user": "operator", "password_hash": PASSWORD_HASH}}
    site.up()
    assert programs(site, "b") == b
    until(lambda: _logged_in(site, "orbit-7"))
    assert not _logged_in(site, "orbit-8")
    line = Path(f"/proc/{site.pid('b', 'tcpsvd')}/cmdline").read_bytes()
    assert b"$6$" not in line
    site.access = {}
    site.up()
    assert programs(site, "b") == b
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address("b"), 23), timeout=10)


def _logged_in(site: Site, password: str) -> bool:
    """Log in by telnet and tell whether it worked."""
    telnet_filter, seen = TelnetFilter(), b""
    answers = [(b"login:", b"operator\n"), (b"assword:", f"{password}\n".encode())]
    answers.append((b"$", b"id -un; hostname\n"))
    try:
        link = socket.create_connection((site.address("b"), 23), timeout=5)
    except ConnectionRefusedError:
        return False
    with link:
        link.settimeout(15)
        while b"operator\r\nb\r" not in seen and b"incorrect" not in seen:
            try:
                data = link.recv(4096)
            except (TimeoutError, ConnectionResetError):
                return False
            if not data:
                return False
            clean, reply = telnet_filter.feed(data)
            link.sendall(reply)
            seen += clean
            if answers and answers[0][0] in seen:
                link.sendall(answers.pop(0)[1])
    return b"operator\r\nb\r" in seen


def test_a_second_up_is_refused_and_names_the_first(site: Site) -> None:
    site.ioc("d", 14)
    site.write()
    before, tasks = programs(site, "a"), len(site.tasks())
    first = site.spawn("up", "--yes")
    until(lambda: _holder(site) == first.pid or first.poll() is not None)
    # However slow this host is: the first goes on when the second has been told.
    first.send_signal(signal.SIGSTOP)
    try:
        second = site.run("up", "--yes")
    finally:
        first.send_signal(signal.SIGCONT)
    said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert second.status == 1
    assert second.problem.startswith(
        f'linacre: {site.name} is being changed by "up" (pid {first.pid}, '
    )
    site.assert_green()
    assert programs(site, "a") == before
    assert len(site.tasks()) == tasks + 1
    del site.iocs["d"]
    site.up("--prune")


def _holder(site: Site) -> int | None:
    try:
        return json.loads(site.state.facility(site.name).lock.read_text())["pid"]
    except (OSError, ValueError):
        return None
