"""One facility that is up: how its user sees it, reaches into it and takes care of its IOCs."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import Command
from harness import Done, Site, until

pytestmark = pytest.mark.timeout(300)


def test_status_tells_all_of_an_ioc(three: Site) -> None:
    rows = three.assert_green()
    mag = rows["mag"]
    assert mag["address"] == mag["endpoint"] == f"{three.subnet}.11"
    assert (mag["pvs"], mag["files"], mag["starts"]) == (3, "clean", 1)
    assert (mag["description"], mag["owner"], mag["kind"]) == ("magnets", "somebody", "softioc")
    assert rows["bpm"]["pvs"] == 2
    assert rows["sim"]["pvs"] == 3
    table = three.ok("status").out
    assert table.startswith(f"{three.name}: up, incus engine, 3 of 3 IOCs as they should be\n")
    assert f"{three.subnet}.12" in table


def test_iocs_start_after_those_they_wait_for(three: Site) -> None:
    number = three.tasks()[-1]["id"]
    steps = {
        step["key"]: step
        for step in json.loads(three.ok("task", "show", str(number), "--json").out)["steps"]
    }
    assert steps["start mag"]["ended_at"] <= steps["start bpm"]["started_at"]
    assert all(step["state"] == "done" for step in steps.values())


def test_up_with_nothing_changed_does_nothing(three: Site, timings: dict[str, float]) -> None:
    before, tasks = three.status(), three.tasks()
    done = three.ok("up")
    timings["three IOCs: up with nothing changed"] = done.took_s
    assert "nothing to change" in done.err
    assert three.tasks() == tasks
    after = three.status()
    assert [row["started_at"] for row in after.values()] == [
        row["started_at"] for row in before.values()
    ]
    assert three.ok("plan").out == "nothing to change\n"


def test_down_keeps_data_and_up_is_quick(three: Site, timings: dict[str, float]) -> None:
    three.inside("mag", "echo kept > /srv/ioc/autosave/state\n")
    before = three.ok("ioc", "log", "mag", "-n", "1000").out
    done = three.ok("down")
    timings["three IOCs: down"] = done.took_s
    assert "4 machines stopped, data kept" in done.err
    assert three.daemon() is None
    kinds = ("process", "mount", "loop")
    # The kernel lets a loop device go when the last that looks at it has ended.
    until(lambda: not [each for each in three.leftovers() if each.startswith(kinds)])
    status = three.run("status", "--json")
    assert status.status == 1
    rows = {row["name"]: row for row in json.loads(status.out)["iocs"]}
    assert {row["ioc"] for row in rows.values()} == {"down"}
    assert three.daemon() is None, "status of a facility that is down starts no daemon"
    timings["three IOCs: up after down"] = three.up().took_s
    assert three.inside("mag", "cat /srv/ioc/autosave/state\n").out == "kept\n"
    assert three.ok("ioc", "log", "mag", "-n", "1000").out.startswith(before.splitlines()[0])


def test_an_ioc_is_stopped_started_and_restarted(three: Site) -> None:
    others = [three.pid(name, "procServ") for name in ("mag", "bpm")]
    assert "stopped" in three.ok("ioc", "stop", "sim").err
    assert "was stopped already" in three.ok("ioc", "stop", "sim").err
    row = three.status()["sim"]
    assert (row["machine"], row["ioc"], row["green"]) == ("stopped", "down", False)
    refused = three.run("ioc", "restart", "sim")
    assert (refused.status, refused.problem) == (
        1,
        "linacre: sim does not run: start it with linacre ioc start sim",
    )
    assert "started" in three.ok("ioc", "start", "sim").err
    assert "was started already" in three.ok("ioc", "start", "sim").err
    procserv, ioc = three.identity("sim", "procServ"), three.identity("sim", "caproto.ioc")
    assert "restarted" in three.ok("ioc", "restart", "sim").err
    assert not procserv.is_alive
    assert not ioc.is_alive
    three.assert_green()
    assert others == [three.pid(name, "procServ") for name in ("mag", "bpm")]


def test_up_starts_an_ioc_that_was_stopped(three: Site) -> None:
    three.ok("ioc", "stop", "sim")
    assert "start sim" in three.ok("plan").out
    three.up()


def test_show_list_and_log(three: Site) -> None:
    shown = json.loads(three.ok("ioc", "show", "mag", "--json").out)
    assert shown["pv_names"] == [three.prefix("mag") + n for n in ("READI", "SETI", "COUNT")] or (
        sorted(shown["pv_names"])
        == sorted(three.prefix("mag") + n for n in ("READI", "SETI", "COUNT"))
    )
    assert "facility.yaml:" in shown["declared"]
    assert f"{three.prefix('mag')}SETI   ao" in three.ok("ioc", "show", "mag").out
    assert [row["name"] for row in json.loads(three.ok("ioc", "list", "--json").out)] == [
        *three.iocs
    ]
    assert "iocInit" in three.ok("ioc", "log", "mag", "-n", "1000").out
    unknown = three.run("ioc", "show", "nosuch")
    assert unknown.status == 2
    assert "has no IOC nosuch; it has: mag, bpm, sim" in unknown.problem


def test_diff_shows_what_somebody_edited_in_the_machine(three: Site) -> None:
    assert "mag runs what is declared" in three.ok("ioc", "diff", "mag").err
    three.inside("mag", "sed -i s/2.5/9.5/ /srv/ioc/ioc.db\n")
    try:
        assert three.status()["mag"]["files"] == "edited"
        found = three.run("ioc", "diff", "mag")
        assert found.status == 1
        assert "changed: ioc.db" in found.out
        assert '+record(ai, "$(P)READI") { field(VAL, "2.5") }' in found.out
    finally:
        three.inside("mag", "sed -i s/9.5/2.5/ /srv/ioc/ioc.db\n")
    assert three.status()["mag"]["files"] == "clean"


def test_diff_and_status_show_what_was_changed_in_the_source(three: Site) -> None:
    file = three.folder / "iocs/mag/extra.txt"
    file.write_text("new\n")
    try:
        assert three.status()["mag"]["files"] == "changed"
        assert "added: extra.txt" in three.run("ioc", "diff", "mag").out
        refused = three.run("up")
        assert refused.status == 1
        assert "will restart: mag" in refused.err
        assert "give --yes" in refused.err
    finally:
        file.unlink()
    assert three.status()["mag"]["files"] == "clean"


def test_exec_passes_input_output_and_status(three: Site) -> None:
    text = "a line\n" * 20_000
    assert three.ok("exec", "--", "cat", stdin=text).out == text
    done = three.run("exec", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.out, done.err, done.status) == ("out\n", "err\n", 3)
    missing = three.run("exec", "--", "no-such-program")
    assert missing.status == 127
    assert "no-such-program: No such file" in missing.err
    assert three.run("exec", "--network", "nosuch", "--", "true").status == 2
    assert three.ok("shell", stdin="hostname\n").out == "desk-controls\n"


def test_the_desk_knows_every_ioc_by_name(three: Site) -> None:
    found = three.ok("exec", "--", "getent", "hosts", "bpm").out
    assert found.split()[:2] == [three.address("bpm"), "bpm"]


@contextmanager
def no_network(site: Site, name: str) -> Iterator[None]:
    """Take the network of a machine down, as somebody inside might."""
    site.inside(name, "ip link set eth0 down\n")
    try:
        with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
            socket.create_connection((site.address(name), 7001), timeout=2)
        yield
    finally:
        gateway = f"{site.subnet}.1"
        bring = f"ip link set eth0 up\nip route replace default via {gateway}\n"
        site.inside(name, bring)


def test_console_and_shell_work_without_a_network(three: Site) -> None:
    with no_network(three, "mag"):
        said = three.ok("ioc", "console", "mag", stdin="dbl\n").out
        assert f"{three.prefix('mag')}SETI" in said
        assert three.ok("ioc", "shell", "mag", stdin="hostname\n").out == "mag\n"
        assert three.status()["mag"]["green"]
    until(lambda: _connects(three.address("mag"), 7001))


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, site: Site, *args: str) -> None:
        self._master, slave = pty.openpty()
        environment = site.environment | {"TERM": "xterm"}
        files = (slave, slave, slave)
        self.process = Command(args, folder=site.folder, environment=environment, files=files)
        os.close(slave)
        self.seen = b""

    def type(self, data: bytes) -> None:
        os.write(self._master, data)

    def read_until(self, text: bytes, limit_s: float = 20) -> None:
        end = time.monotonic() + limit_s
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self._master], [], [], 0.2)[0]:
                self.seen += os.read(self._master, 4096)

    def status(self) -> int:
        try:
            return self.process.wait(timeout=20)
        finally:
            self.process.kill()
            os.close(self._master)


def test_the_console_on_a_terminal_is_left_with_its_key(three: Site) -> None:
    terminal = Terminal(three, "ioc", "console", "mag")
    terminal.read_until(b"(plus you)")
    terminal.type(b"\r")
    terminal.read_until(b"epics> ")
    terminal.type(b"dbl\r")
    terminal.read_until(f"{three.prefix('mag')}COUNT".encode())
    terminal.type(b"\x1d")
    assert terminal.status() == 0
    three.assert_green()


def test_a_shell_on_a_terminal(three: Site) -> None:
    terminal = Terminal(three, "ioc", "shell", "mag")
    terminal.read_until(b"mag:~# ")
    terminal.type(b"tty; hostname\r")
    terminal.read_until(b"/dev/pts/")
    terminal.read_until(b"\nmag\r")
    terminal.type(b"exit 4\r")
    assert terminal.status() == 4


def ssh(site: Site, key: Path | None, name: str, command: str) -> Done:
    """Run a command in a machine over SSH, with a key or with no more than a password."""
    if shutil.which("ssh") is None:
        pytest.skip("ssh is not installed: apt-get install openssh-client")
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=10"]
    options += ["IdentitiesOnly=yes", "LogLevel=ERROR", "PasswordAuthentication=yes"]
    options += ["NumberOfPasswordPrompts=1", "BatchMode=no", "GlobalKnownHostsFile=/dev/null"]
    words = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option))]
    if key is not None:
        words += ["-i", str(key)]
    words += [f"root@{site.address(name)}", command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    return Done(tuple(words), done.returncode, done.stdout, done.stderr, 0)


def test_ssh_with_the_facilitys_key_and_no_other_way(three: Site, ssh_key: Path) -> None:
    done = ssh(three, ssh_key, "mag", "hostname; id -un")
    assert (done.status, done.out) == (0, "mag\nroot\n"), done
    refused = ssh(three, None, "mag", "hostname")
    assert refused.status == 255
    assert "Permission denied (publickey)" in refused.err


def test_limits_are_set_in_the_control_group(three: Site) -> None:
    pid = three.pid("mag", "softIoc")
    groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    where = {name: group for line in groups for name, group in _controllers(line)}

    def limit(controller: str, old: str, new: str) -> str:
        root = Path("/sys/fs/cgroup")
        if controller in where:
            path = root / controller / where[controller].lstrip("/")
            return _nearest(path, old)
        return _nearest(root / where[""].lstrip("/"), new)

    assert limit("memory", "memory.limit_in_bytes", "memory.max") == str(256 << 20)
    assert limit("pids", "pids.max", "pids.max") == "120"
    if "cpu" in where:
        quota = int(limit("cpu", "cpu.cfs_quota_us", ""))
        period = int(limit("cpu", "cpu.cfs_period_us", ""))
    else:
        quota, period = map(int, limit("cpu", "", "cpu.max").split())
    assert quota / period == 0.5


def _controllers(line: str) -> Iterator[tuple[str, str]]:
    _, names, group = line.split(":", 2)
    for name in names.split(","):
        yield name, group


def _nearest(path: Path, file: str) -> str:
    """Read a limit where the machine's group has it: at or above that of one process."""
    machine = next(p for p in (path, *path.parents) if p.name.startswith("lxc.payload"))
    return (machine / file).read_text().strip()


def test_a_mount_is_seen_and_cannot_be_written(three: Site) -> None:
    done = three.inside("mag", "cat /data/waves/ramp.txt\n")
    assert done.out == "0 1 2\n"
    done = three.inside("mag", "touch /data/waves/new\n")
    assert done.status != 0


def test_the_ioc_runs_as_its_own_user_with_what_was_declared(three: Site) -> None:
    pid = three.pid("mag", "softIoc")
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b"MAG_MODE=test" in environment
    inside = three.inside("mag", "ps -o user= -C softIoc; ls -ld /srv/ioc\n").out
    assert inside.split()[0] == "ioc"
    assert "root root" in inside
    # Unprivileged: not even root in there is root here.
    assert Path(f"/proc/{pid}").stat().st_uid >= 100_000


def test_a_rebuilt_machine_keeps_its_persistent_folder(three: Site, ssh_key: Path) -> None:
    other = three.identity("bpm", "procServ")
    three.inside("mag", "echo v2 > /srv/ioc/autosave/state; touch /root/lost\n")
    three.up("--rebuild", "mag")
    found = three.inside("mag", "cat /srv/ioc/autosave/state; ls /root\n")
    assert found.out == "v2\n"
    assert other.is_alive
    assert "nothing to change" in three.ok("up").err
    assert ssh(three, ssh_key, "mag", "true").status == 0
