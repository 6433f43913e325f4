"""The doctor on a real facility: clean where all is well, and each fault named with its remedy."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Site, until
from time_server import time_server

from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.observing.doctor.checks import CHECKS

pytestmark = pytest.mark.timeout(180)

HERE = Path(__file__).parent
HANGING = """\
import asyncio
from pathlib import Path

from caproto.server import PVGroup, pvproperty, run


class Group(PVGroup):
    before = pvproperty(value=1.0)
    hangs = pvproperty(value=2.0)
    behind = pvproperty(value=3.0)

    @hangs.getter
    async def hangs(self, instance):
        while Path("/tmp/hang").exists():
            await asyncio.sleep(0.05)


run(Group(prefix="{prefix}").pvdb)
"""


class Doctor:
    """What `linacre doctor --json` says of a site."""

    def __init__(self, site: Site, *before: str) -> None:
        argv = ("doctor", "--json")
        done = site.run_fresh(*argv, before=before) if before else site.run(*argv, limit_s=60)
        assert done.out, done
        self.status = done.status
        self.found: dict[str, Any] = json.loads(done.out)
        self.checks = {check["check"]: check for check in self.found["checks"]}
        assert [*self.checks] == [check.key for check in CHECKS]
        assert self.status == (0 if self.found["healthy"] else 1), done

    def findings(self, key: str) -> list[tuple[str, str]]:
        """Return what is wrong by one check, and the remedy."""
        return [(each["what"], each["remedy"]) for each in self.checks[key]["findings"]]

    def text(self, key: str) -> str:
        """Return the words of the only finding of a check."""
        (finding,) = self.checks[key]["findings"]
        return finding["text"]

    @property
    def wrong(self) -> set[str]:
        """The checks that found a problem."""
        return {key for key, check in self.checks.items() if check["verdict"] == "problem"}

    def assert_only(self, *keys: str) -> None:
        """Fail unless exactly these checks found a problem; the exit status says so too."""
        assert self.wrong == set(keys), self.found
        assert self.status == 1


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A facility with a softIoc, another one, and an IOC with a PV that can be made to hang."""
    site = make_site("doctor")
    site.ioc("a", 11)
    site.ioc("b", 12, limits={"memory": "256MiB"})
    site.ioc("h", 13, kind="python", script="ioc.py")
    site.source("h", {"ioc.py": HANGING.format(prefix=site.prefix("h"))})
    site.up()
    return site


def test_a_healthy_facility_is_clean(site: Site, timings: dict[str, float]) -> None:
    doctor = Doctor(site)
    assert doctor.found["healthy"], doctor.found
    timings["doctor: three IOCs"] = doctor.found["took_s"]
    applicable = {key for key, each in doctor.checks.items() if each["verdict"] != "not applicable"}
    assert {check.key for check in CHECKS} - applicable <= {"uplink", "archived", "imports"}
    assert doctor.checks["pvs"]["said"] == "9 of 9 PVs of 3 IOCs answered"
    lines = site.ok("doctor").out.splitlines()
    assert len([line for line in lines if not line.startswith("    ")]) == len(CHECKS) + 1


def test_a_stopped_machine(site: Site) -> None:
    site.ok("ioc", "stop", "b")
    doctor = Doctor(site)
    doctor.assert_only("machine")
    assert doctor.findings("machine") == [("b", "linacre ioc start b")]
    site.ok("ioc", "start", "b")


def test_a_procserv_that_is_stopped(site: Site) -> None:
    pid = site.pid("a", "procServ")
    os.kill(pid, signal.SIGSTOP)
    try:
        doctor = Doctor(site)
    finally:
        os.kill(pid, signal.SIGCONT)
    doctor.assert_only("procserv")
    assert doctor.findings("procserv") == [("a", "linacre ioc restart a")]
    assert "gives no banner" in doctor.text("procserv")


def test_a_procserv_that_is_dead(site: Site) -> None:
    site.inside("a", "sv force-stop /run/service/ioc")
    doctor = Doctor(site)
    doctor.assert_only("procserv")
    assert doctor.text("procserv") == "procServ does not run"
    # The remedy as it is given.
    command = doctor.findings("procserv")[0][1]
    site.ok(*command.removeprefix("linacre ").split())


def test_a_restart_loop(site: Site) -> None:
    for _ in range(3):
        before = site.identity("b", "softIoc")
        before.kill(signal.SIGKILL)
        until(lambda before=before: _others(site, "b", before.pid), 20)
    doctor = Doctor(site)
    doctor.assert_only("loop")
    assert doctor.findings("loop") == [("b", "linacre ioc log b shows why it ends")]
    site.ok("ioc", "restart", "b")


def _others(site: Site, machine: str, pid: int) -> bool:
    """Tell whether a machine runs a softIoc that is another process than this one."""
    return any("softIoc" in line and each != pid for each, line in site.processes(machine).items())


def test_a_pv_that_hangs_and_not_those_behind_it(site: Site) -> None:
    site.inside("h", "touch /tmp/hang")
    try:
        doctor = Doctor(site)
    finally:
        site.inside("h", "rm /tmp/hang")
    doctor.assert_only("pvs")
    console = "see what it waits for: linacre ioc console h"
    assert doctor.findings("pvs") == [(f"{site.prefix('h')}hangs", console)]
    assert doctor.checks["pvs"]["said"] == "8 of 9 PVs of 3 IOCs answered"


def test_an_ioc_that_answers_nobody(site: Site) -> None:
    ioc = site.identity("a", "softIoc")
    ioc.kill(signal.SIGSTOP)
    try:
        doctor = Doctor(site)
    finally:
        ioc.kill(signal.SIGCONT)
    doctor.assert_only("pvs")
    assert [what for what, _ in doctor.findings("pvs")] == ["a"]
    assert "nobody answers at desk-controls for any of its 3 PVs" in doctor.text("pvs")


def test_a_duplicate_address(site: Site) -> None:
    tail = site.name[-4:]
    space, near, far = f"ltns-{tail}", f"ltn-{tail}", f"ltf-{tail}"
    bridge = bridge_name(site.name, "controls")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    ip("netns", "add", space)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
        ip("link", "set", near, "master", bridge, "up")
        ip("-n", space, "address", "add", f"{site.address('b')}/24", "dev", far)
        ip("-n", space, "link", "set", far, "up")
        mac = json.loads(
            subprocess.check_output(["ip", "-n", space, "-j", "link", "show", far], text=True)
        )[0]["address"]
        doctor = Doctor(site)
    finally:
        subprocess.run(["ip", "netns", "delete", space], check=False)
        subprocess.run(["ip", "link", "delete", near], check=False, stderr=subprocess.DEVNULL)
    assert "address" in doctor.wrong
    ((what, remedy),) = doctor.findings("address")
    assert what == f"{site.address('b')} (b)"
    assert mac in doctor.text("address")
    assert f"bridge fdb show | grep {mac}" in remedy


def test_a_cable_moved_by_hand(site: Site) -> None:
    veth = veth_name(site.name, "a")
    subprocess.run(["ip", "link", "set", "dev", veth, "nomaster"], check=True)
    doctor = Doctor(site)
    doctor.assert_only("cable")
    ((what, remedy),) = doctor.findings("cable")
    assert (what, remedy) == ("a", "linacre ioc plug a --network controls")
    assert doctor.text("cable") == "plugged into nothing, recorded as plugged into controls"
    site.ok(*remedy.removeprefix("linacre ").split())


def test_a_full_pool(site: Site) -> None:
    for file, said in {"/srv/persist/big": "Disk quota exceeded", "/big": "No space left"}.items():
        assert said in site.inside("b", f"dd if=/dev/zero of={file} bs=1M").err
    try:
        doctor = Doctor(site)
    finally:
        site.inside("b", "rm -f /srv/persist/big /big; sync")
    doctor.assert_only("space")
    assert {what for what, _ in doctor.findings("space")} == {f"the pool linacre-{site.name}", "b"}


@pytest.mark.parametrize("how", ["hung", "stale"])
def test_a_mount_that_does_not_answer(site: Site, tmp_path: Path, how: str) -> None:
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("this machine has no /dev/fuse")
    folder = tmp_path / "data set"
    folder.mkdir()
    doctor = Doctor(
        site,
        *("unshare", "--mount", "--propagation", "private"),
        *(sys.executable, str(HERE / "fuse_mount.py"), how, str(folder)),
    )
    doctor.assert_only("mounts")
    ((what, remedy),) = doctor.findings("mounts")
    assert what == str(folder)
    said = {"hung": "hangs: no answer within", "stale": "stale: Transport endpoint"}
    assert said[how] in doctor.text("mounts")
    assert "fuse.doctor from doctor-test" in doctor.text("mounts")
    assert f"umount --lazy {folder}" in remedy


@pytest.fixture
def written(site: Site) -> Iterator[Site]:
    """The facility, whose file says nothing of time servers after the test."""
    yield site
    site.settings.clear()
    site.write()


def name_time_servers(site: Site, *servers: str) -> None:
    site.settings["time_servers"] = servers
    site.write()


def test_a_clock_that_a_time_server_contradicts(written: Site) -> None:
    tail = int(written.subnet.rpartition(".")[2])
    wrong, right, silent = (f"127.62.{tail}.{n}" for n in (1, 2, 3))
    with contextlib.ExitStack() as stack:
        stack.enter_context(time_server(wrong, off_s=3600))
        stack.enter_context(time_server(right, off_s=0.1))
        name_time_servers(written, wrong, right, silent)
        doctor = Doctor(written)
        doctor.assert_only("clock")
        clock, server = doctor.checks["clock"]["findings"]
        assert (clock["what"], clock["verdict"]) == ("the host's clock", "problem")
        assert clock["text"] == f"60 min behind the time server {wrong}"
        assert clock["remedy"].startswith("set the clock: ")
        assert (server["what"], server["verdict"]) == (silent, "warning")
        name_time_servers(written, right)
        assert not Doctor(written).findings("clock")


def test_a_clock_that_was_set_back(written: Site) -> None:
    catalogue = written.state.facility(written.name).catalogue

    def move(seconds: float) -> None:
        with contextlib.closing(sqlite3.connect(catalogue)) as database, database:
            newest = "(select max(id) from task)"
            database.execute(
                f"update task set ended_at = ended_at + ? where id = {newest}", [seconds]
            )

    move(7200)
    try:
        doctor = Doctor(written)
        doctor.assert_only("clock")
        assert "behind the newest task" in doctor.text("clock")
        tail = int(written.subnet.rpartition(".")[2])
        with time_server(f"127.62.{tail}.2", off_s=0):
            # The clock is right now: it was wrong when the task was written.
            name_time_servers(written, f"127.62.{tail}.2")
            doctor = Doctor(written)
        assert not doctor.wrong
        assert doctor.checks["clock"]["verdict"] == "warning"
    finally:
        move(-7200)


def test_a_twin_is_read_at_its_own_desk(site: Site) -> None:
    site.machines |= {"a-twin", "desk-controls-twins"}
    site.ok("ioc", "twin", "a", "--yes")
    doctor = Doctor(site)
    assert not doctor.wrong, doctor.found
    assert doctor.checks["pvs"]["said"] == "12 of 12 PVs of 4 IOCs answered"
    site.ok("ioc", "unplug", "a", "--twin", "--yes")
    assert not Doctor(site).wrong
    site.ok("ioc", "promote", "a", "--yes")


def test_a_facility_that_is_down_is_not_woken(site: Site) -> None:
    site.ok("down")
    doctor = Doctor(site)
    assert doctor.found["healthy"], doctor.found
    assert doctor.checks["engine"]["said"] == f"{site.name} is down: linacre up"
    assert doctor.checks["mounts"]["verdict"] == "ok"
    assert site.daemon() is None
