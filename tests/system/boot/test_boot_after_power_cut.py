"""After a power cut, `linacre boot` brings back what was there, and nothing else."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

import pytest
from harness import DATABASE, Site, steps, until
from power_cut import (
    answers,
    boot,
    booted,
    cut_power,
    daemon,
    in_the_state_of,
    inside,
    monitors,
    restart_host,
)

from linacre.base.processes import ProcessId
from linacre.session.lock import FacilityLock

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A marked facility of three IOCs that is up; one of them has a twin."""
    site = make_site("boot")
    site.settings = {"autostart": True}
    site.ioc("a", 11)
    site.ioc("b", 12, after=["a"])
    site.ioc("c", 13, after=["b"])
    told = site.up().err
    assert "add this line by crontab -e: @reboot LINACRE_STATE=" in told or "linacre-boot-" in told
    assert "autostart" not in site.ok("up").err
    site.twin("c")
    return site


def assert_serves(site: Site) -> None:
    """Fail unless every IOC answers at the desk, and each cable is where it was."""
    assert [answers(site, name) for name in site.iocs] == ["2.5"] * len(site.iocs)
    assert site.on("controls") == {"a", "b", "c", "desk-controls"}
    assert site.on("controls-twins") == {"c-twin", "desk-controls-twins"}


def test_everything_killed_comes_back_without_the_file(
    site: Site, timings: dict[str, float]
) -> None:
    site.inside("a", "echo kept > /srv/persist/state; sync")
    away = site.root / "away"
    cut_power(site)
    shutil.move(site.folder, away)
    site.folder.mkdir()
    try:
        done, own = booted(site)
    finally:
        site.folder.rmdir()
        shutil.move(away, site.folder)
    timings["linacre boot: three IOCs, a twin, two desks"] = done.took_s
    assert f"{site.folder}/facility.yaml cannot be read: no such file or directory" in done.err
    assert done.err.index("start a ") < done.err.index("start b ") < done.err.index("start c ")
    assert set(own["started"]) == site.machines
    assert 0 < own["took_s"] <= done.took_s
    assert_serves(site)
    assert site.inside("a", "cat /srv/persist/state").out == "kept\n"
    newest = site.tasks()[0]
    assert (newest["verb"], newest["state"]) == ("boot", "done")


def test_the_second_boot_does_nothing(site: Site) -> None:
    tasks, running = site.tasks(), sorted(inside(site))
    _, own = booted(site)
    assert own["started"] == []
    assert sorted(inside(site)) == running
    assert site.tasks() == tasks
    assert f"{site.name}: 3 of 3 IOCs up, ran already" in site.ok("boot").out


def test_an_edited_file_changes_nothing(site: Site) -> None:
    site.source("a", {"ioc.db": DATABASE.replace('"2.5"', '"9.5"')})
    site.ioc("new", 19)
    site.write()
    try:
        cut_power(site)
        done, _ = boot(site)
        assert done.status == 0, done
        assert_serves_old(site)
        assert "update a: files" in site.ok("plan").out
    finally:
        del site.iocs["new"]
        site.machines.remove("new")
        site.source("a", {"ioc.db": DATABASE})
        site.write()
    assert "nothing to change" in site.ok("plan").out


def assert_serves_old(site: Site) -> None:
    assert answers(site, "a") == "2.5"
    assert site.processes("new") == {}


def test_a_broken_file_keeps_nothing_down(site: Site) -> None:
    (site.folder / "facility.yaml").write_text("facility: [\n")
    try:
        cut_power(site)
        done, _ = booted(site)
    finally:
        site.write()
    assert "is no facility file now; at its last up it was marked autostart" in done.err
    assert_serves(site)


def test_the_host_starts_and_another_process_has_the_daemons_id(
    site: Site, timings: dict[str, float]
) -> None:
    restart_host(site)
    stranger = ProcessId.of(1)
    (site.state.facility(site.name).incus / "daemon.pid").write_text(str(stranger))
    done, _ = booted(site)
    timings["linacre boot: three IOCs, after a restart of the host"] = done.took_s
    assert_serves(site)


@pytest.mark.parametrize(
    "doomed",
    [
        pytest.param(lambda site: [daemon(site), *monitors(site)], id="daemon and monitors"),
        pytest.param(
            lambda site: [daemon(site), *inside(site)],
            id="daemon and all inside",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            lambda site: [daemon(site), *inside(site, "a")],
            id="daemon and one machine",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            lambda site: [daemon(site), monitors(site)[0]],
            id="daemon and one monitor",
            marks=pytest.mark.thorough,
        ),
        pytest.param(lambda site: monitors(site)[:2], id="two monitors"),
        pytest.param(lambda site: inside(site, "b"), id="one machine", marks=pytest.mark.thorough),
    ],
)
def test_what_is_half_dead_comes_back_whole(
    site: Site, doomed: Callable[[Site], list[int]]
) -> None:
    for pid in doomed(site):
        site.kill(pid)
    # At once: what was killed is still on its way out.
    booted(site)
    assert_serves(site)
    for machine in ("a", "b", "c", "c-twin"):
        site.pid(machine, "softIoc")
    loops = [each for each in site.leftovers() if each.startswith("loop")]
    assert len(loops) == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", steps(5))
def test_a_boot_that_is_killed_is_finished_by_the_next(
    make_site: Callable[[str], Site], step: int
) -> None:
    site = make_site("cutboot")
    site.settings = {"autostart": True}
    site.ioc("a", 11)
    site.ioc("b", 12, after=["a"])
    site.up()
    kills = 0
    while True:
        kills += step
        cut_power(site)
        done, _ = boot(site, LINACRE_TEST_KILL_AFTER=str(kills))
        if done.status == 0:
            break
        assert done.status == -9, done
        booted(site)
        assert [answers(site, name) for name in site.iocs] == ["2.5", "2.5"]
    assert kills > 5
    print(f"killed after each {step}. of {kills} writes")


def test_one_that_another_command_holds_is_told(site: Site) -> None:
    async def hold() -> None:
        async with FacilityLock(site.state.facility(site.name), command="a test"):
            done, said = await asyncio.to_thread(boot, site)
        assert done.status == 1
        assert 'is being changed by "a test"' in done.problem
        assert said[site.name]["outcome"] == "busy"

    asyncio.run(hold())


def test_only_what_is_marked_and_one_that_fails_stops_no_other(
    site: Site, make_site: Callable[[str], Site]
) -> None:
    other = make_site("unmarked")
    other.settings = {"engine": "process"}
    other.ioc("x", 11)
    with in_the_state_of(site, other):
        other.up()
        kill_processes(other)
        assert boot(other)[1].keys() == {site.name}
        note = site.state.facility(other.name).root / "facility.json"
        kept = note.read_text()
        note.write_text("{")
        try:
            done, said = boot(other)
        finally:
            note.write_text(kept)
        assert done.status == 1
        assert f"{note} cannot be read" in done.problem
        assert said[other.name]["outcome"] == "failed"
        assert said[site.name]["outcome"] == "up"
        # Marked in the file, with no `up` since.
        other.settings["autostart"] = True
        other.write()
        booted(other)
        other.assert_green()


def kill_processes(site: Site) -> None:
    """Kill the IOCs and procServs of a facility of the process engine, all at once."""
    doomed = [line for line in site.leftovers() if line.startswith("process ")]
    doomed = [line for line in doomed if f"facilities/{site.name}/" in line]
    assert doomed
    for line in doomed:
        site.kill(int(line.split()[1].rstrip(":")))
    until(lambda: all(row["procserv"] == "down" for row in site.status().values()))


def test_processes_come_back_too(
    make_site: Callable[[str], Site], timings: dict[str, float]
) -> None:
    site = make_site("proc")
    site.settings = {"engine": "process", "autostart": True}
    site.ioc("a", 21)
    site.ioc("b", 22, after=["a"])
    site.up()
    rows = site.status()
    kill_processes(site)
    done, own = booted(site)
    timings["linacre boot: two IOCs, process engine"] = done.took_s
    assert own["engine"] == "process"
    assert done.err.index("start a ") < done.err.index("start b ")
    after = site.assert_green()
    for name in site.iocs:
        assert after[name]["started_at"] > rows[name]["started_at"]
        got = site.ok("exec", "--", "caget", "-t", "-w", "10", f"{site.prefix(name)}READI").out
        assert got == "2.5\n"
    assert booted(site)[1]["started"] == []


def test_an_up_cut_short_is_said_and_left_to_up(make_site: Callable[[str], Site]) -> None:
    site = make_site("cutup")
    site.settings = {"autostart": True}
    site.ioc("a", 11)
    site.write()
    # Before anything is made, while the image is unpacked, and with one IOC of two made.
    assert site.run("up", "--yes", LINACRE_TEST_KILL_AFTER="2").status == -9
    cut_power(site)
    done, said = boot(site)
    assert done.status == 1
    assert done.problem.endswith(f"{site.name}: none of its machines is made: linacre up")
    assert said[site.name]["outcome"] == "failed"

    process = site.spawn("up", "--yes")
    pools = site.state.facility(site.name).incus / "daemon/storage-pools"
    until(lambda: any(pools.glob("*/images/*/rootfs/usr/lib")))
    process.kill()
    cut_power(site)
    process.communicate()
    assert boot(site)[0].status == 1
    site.up()
    assert answers(site, "a") == "2.5"

    site.ioc("b", 12, after=["a"])
    site.write()
    assert site.run("up", "--yes", LINACRE_TEST_KILL_AFTER="2").status == -9
    cut_power(site)
    done, said = boot(site)
    assert done.status == 0, done
    assert "linacre up" in done.err
    assert (said[site.name]["iocs_up"], said[site.name]["iocs"]) == (1, 1)
    assert answers(site, "a") == "2.5"
    site.up()


def test_with_nothing_marked_it_says_so(make_site: Callable[[str], Site]) -> None:
    site = make_site("none")
    site.write()
    assert site.ok("boot").out == "no facility here is marked autostart: nothing to start\n"
    assert boot(site)[1] == {}
