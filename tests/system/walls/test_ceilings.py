"""A machine that takes all that it can get: ceilings hold, neighbours go on, and it is told."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Site, until

from linacre.engines.base import Space
from linacre.observing.ceilings import read_group

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Iterator[Site]:
    """A facility of a neighbour and three machines that know no measure."""
    site = make_site("greed")
    site.ioc("victim", 11)
    site.settings = {"engine": {"kind": "incus", "pool_size": "5GiB"}}
    site.ioc("many", 12, limits={"processes": 100})
    site.ioc("large", 13, limits={"memory": "96MiB", "open_files": 512})
    site.ioc("full", 14, limits={"disk": "512MiB"})
    site.up()
    yield site
    for machine in ("many", "large"):
        site.inside(machine, "pkill -9 -f greedy; true")


def assert_victim_answers(site: Site) -> None:
    pv = f"{site.prefix('victim')}READI"
    assert site.inside("desk-controls", f"caget -t -w 10 {pv}").out.strip() == "2.5"


def near(site: Site) -> dict[str, list[str]]:
    return json.loads(site.ok("status", "--json").out)["near_ceilings"]


def test_there_are_ceilings_by_default(site: Site) -> None:
    host = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for machine, most in {"victim": 1000, "desk-controls": 10000}.items():
        group = read_group(min(site.processes(machine)))
        assert group is not None and group.limit_bytes is not None
        assert group.most_processes == most
        assert 0.2 * host < group.limit_bytes < 0.26 * host


def test_a_fork_bomb_ends_at_its_ceiling_and_is_told(site: Site) -> None:
    assert near(site) == {}
    bomb = "exec -a greedy sh -c 'while :; do sleep 600 & done'"
    site.inside("many", f'setsid bash -c "{bomb}" > /dev/null 2>&1 & sleep 1')
    until(lambda: "many" in near(site))
    (line,) = near(site)["many"]
    assert line.startswith("processes ") and line.endswith(" of 100")
    assert "many is near its ceiling: processes " in site.ok("status").out
    assert_victim_answers(site)
    finding = next(
        each
        for check in json.loads(site.run("doctor", "--json").out)["checks"]
        for each in check["findings"]
        if each["what"] == "many" and "ceiling" in each["text"]
    )
    assert "raise its limits" in finding["remedy"]


def test_a_leak_is_ended_in_its_own_machine(site: Site) -> None:
    leak = "head -c 300000000 /dev/zero | tail > /dev/null; echo status $?"
    assert site.inside("large", leak).out.split()[-1] != "0"
    assert_victim_answers(site)
    texts = [
        each["text"]
        for check in json.loads(site.run("doctor", "--json").out)["checks"]
        for each in check["findings"]
        if each["what"] == "large"
    ]
    assert any("for lack of memory" in text for text in texts)


def test_open_files_have_a_ceiling(site: Site) -> None:
    pid = site.pid("large", "softIoc")
    limits = Path(f"/proc/{pid}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == ["512", "512"]


FOLDERS = {"disk": "/home", "persistent folder": "/srv/persist"}


def spaces(site: Site, machine: str) -> tuple[Space, ...]:
    """Return what a machine has written of what it may."""

    async def used() -> tuple[Space, ...]:
        async with site.engine() as engine:
            return (await engine.used([machine]))[machine]

    return asyncio.run(used())


def test_disks_have_an_eighth_of_the_pool_by_default(site: Site) -> None:
    totals = {
        name: {each.what: each.total_bytes >> 20 for each in spaces(site, name)}
        for name in ("victim", "full", "desk-controls")
    }
    assert totals == {
        "victim": {"disk": 640, "persistent folder": 640},
        "full": {"disk": 512, "persistent folder": 512},
        "desk-controls": {"disk": 640},
    }


@pytest.mark.parametrize("what", FOLDERS)
def test_a_disk_ends_at_its_ceiling_and_is_told(site: Site, what: str) -> None:
    file = f"{FOLDERS[what]}/greedy"
    filled = site.inside("full", f"dd if=/dev/zero of={file} bs=1M; sync")
    assert "Disk quota exceeded" in filled.err
    until(lambda: "full" in near(site))
    (line,) = near(site)["full"]
    assert line.startswith(f"{what} 5") and line.endswith("of 512 MiB: full")
    assert_victim_answers(site)
    site.inside("victim", f"dd if=/dev/zero of={FOLDERS[what]}/own bs=1M count=100 conv=fsync")
    site.inside("full", f"rm {file}; sync")
    until(lambda: "full" not in near(site))


def test_an_ioc_restarts_and_starts_on_a_full_disk(site: Site) -> None:
    fill = "dd if=/dev/zero of=/home/greedy bs=1M; sync; echo x > /home/more"
    assert site.inside("full", fill).err.count("Disk quota exceeded") == 2
    # The newest log is gone too: procServ cannot open another.
    site.inside("full", "cp /dev/zero /home/rest; rm /var/log/ioc/*; cp /dev/zero /home/rest2")
    before = site.identity("full", "softIoc")
    try:
        site.ok("ioc", "restart", "full")
        assert not before.is_alive
        site.assert_green()
        assert "full is near its ceiling: disk 512 MiB of 512 MiB: full" in site.ok("status").out
        assert site.inside("desk-controls", f"caget -t -w 10 {site.prefix('full')}READI").out
        # The daemon writes to the machine's own disk before it starts it.
        site.ok("ioc", "stop", "full")
        site.ok("ioc", "start", "full")
        site.assert_green()
        # It may take no more than before.
        assert "quota exceeded" in site.inside("full", "cp /dev/zero /home/rest3").err
        (disk,) = (each for each in spaces(site, "full") if each.what == "disk")
        assert disk.total_bytes == 512 << 20
    finally:
        site.inside("full", "rm -f /home/*; sync")
    until(lambda: "full" not in near(site))
    site.ok("ioc", "restart", "full")
    until(lambda: "iocInit" in site.inside("full", "cat /var/log/ioc/ioc.log").out)
