"""An archiver that eats all its machine may have: its neighbours notice nothing; it recovers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from harness import Site, until
from neighbour_support import Group, Reader, RoundTrips, eat, round_trips, stop_eating

# The image of archivers may have to be built first, beside other tests.
pytestmark = pytest.mark.timeout(900)

NAME = "glutton"
MEMORY, CPU, DISK = 256 << 20, 0.5, 64 << 20
PVS = 20
RECORDS = 'record(ao, "$(P)SETI") { field(VAL, "1.5") field(PINI, "YES") }\n' + "".join(
    f'record(calc, "$(P){n:02}:READI") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}\n'
    for n in range(PVS)
)
ROUNDS, WINDOWS = 3, 3
TRIES = 4
"""What else begins on this host between two windows may spoil a comparison, not all of them."""
BUSY_S = 0.001
"""A longer p99 before anything is eaten: others keep the host's cores, and nothing is measured."""


class Archiver:
    """The archiver under test, asked from this host."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.url = f"http://{site.subnet}.40:17665/"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    @property
    def info(self) -> dict[str, Any]:
        """What it says of itself; nothing where it does not answer."""
        with suppress(OSError, ValueError):
            return self.get("api/v1")
        return {}

    def newest_ns(self, pv: str) -> int:
        with suppress(OSError, ValueError):
            (found,) = self.get(f"api/v1/last?pv={pv}")
            return found["time_ns"] or 0
        return 0

    def inside(self, script: str) -> str:
        done = self.site.inside(NAME, script)
        assert done.status == 0, done
        return done.out.strip()

    def wait_until_full(self) -> None:
        """Wait until a write was refused, at the size that was declared."""
        until(lambda: self.site.inside(NAME, "test -s /run/eaten-up").status == 0, 120)
        said = self.inside("cat /run/eaten-up")
        assert said in ("No space left on device", "Disk quota exceeded"), said
        used = int(self.inside("du -s -B1 /srv/persist").split()[0])
        assert 0.7 * DISK < used < 1.05 * DISK

    @property
    def group(self) -> Group:
        return Group(self.site.pid(NAME, "procServ"))


@pytest.fixture(scope="module")
def archiver(make_site: Callable[[str], Site]) -> Archiver:
    """A facility of one IOC and an archiver of its PVs, with limits, that is up."""
    site = make_site("eats")
    site.ioc("mag", 11)
    site.source("mag", {"ioc.db": RECORDS})
    site.machines.add(NAME)
    site.settings = {
        "engine": {"kind": "incus", "pool_size": "2GiB"},
        "archivers": {
            NAME: {
                "address": f"{site.subnet}.40",
                "pvs": [f"{site.prefix('mag')}{n:02}:READI" for n in range(PVS)],
                "limits": {"memory": str(MEMORY >> 20) + "MiB", "cpu": CPU},
                "disk": str(DISK >> 20) + "MiB",
                "hold_off": "1s",
            }
        },
    }
    site.up(limit_s=600)
    found = Archiver(site)
    until(lambda: found.info.get("connected") == PVS, 30, "the archiver is not connected")
    return found


@pytest.fixture
def reader(archiver: Archiver) -> Iterator[Reader]:
    found = Reader(archiver.site.address("mag"), f"{archiver.site.prefix('mag')}SETI")
    yield found
    found.close()


@pytest.fixture(autouse=True)
def hungry(archiver: Archiver) -> Iterator[None]:
    """End what eats, whatever the test says."""
    yield
    archiver.inside(stop_eating(make_room=True))


def test_the_limits_are_set(archiver: Archiver) -> None:
    assert (archiver.group.memory_limit, archiver.group.cores) == (MEMORY, CPU)
    neighbour = Group(archiver.site.pid("mag", "procServ"))
    assert archiver.group.weight < neighbour.weight


def compared(
    archiver: Archiver, reader: Reader, what: tuple[str, ...]
) -> tuple[RoundTrips, RoundTrips]:
    """Read from the neighbour in turn while all is quiet and while something is eaten."""
    round_trips(reader, windows=1)
    quiet, eaten = RoundTrips((), ()), RoundTrips((), ())
    for _ in range(ROUNDS):
        quiet += round_trips(reader, windows=WINDOWS)
        archiver.inside(eat(*what))
        eaten += round_trips(reader, windows=WINDOWS)
        archiver.inside(stop_eating())
    return quiet, eaten


@pytest.mark.parametrize("what", [("cpu",), ("memory",), ("disk",), ("memory", "cpu", "disk")])
def test_a_neighbour_answers_as_before(
    archiver: Archiver, reader: Reader, what: tuple[str, ...], timings: dict[str, float]
) -> None:
    group = archiver.group
    throttled = group.throttled
    named = "+".join(what)
    told: list[str] = []
    for _ in range(TRIES):
        quiet, eaten = compared(archiver, reader, what)
        told.append(f"{named}: quiet {quiet}; eaten {eaten}")
        print(told[-1])
        if quiet.typical_p99 >= BUSY_S or eaten.typical_p99 <= 2 * quiet.typical_p99:
            break
    else:
        pytest.fail("\n".join(told))
    timings[f"caget p99, ms: quiet, before {named}"] = round(quiet.typical_p99 * 1e3, 2)
    timings[f"caget p99, ms: while an archiver eats {named}"] = round(eaten.typical_p99 * 1e3, 2)
    # Where others keep the cores busy it may not come so far.
    if "cpu" in what and quiet.typical_p99 < BUSY_S:
        assert group.throttled > throttled, "it did not come to its limit of CPU"
    if "memory" in what:
        assert group.memory_most > 0.97 * MEMORY, "it did not come to its limit of memory"
    if "disk" in what:
        archiver.inside(eat("disk"))
        archiver.wait_until_full()


def test_it_tells_of_a_full_disk_and_goes_on_when_there_is_room(archiver: Archiver) -> None:
    pv = f"{archiver.site.prefix('mag')}00:READI"
    until(lambda: archiver.info.get("connected") == PVS, 30, "it did not come back")
    begun = archiver.info["started_ns"]
    archiver.inside(eat("disk"))
    archiver.wait_until_full()
    until(lambda: archiver.info.get("disk_full"), 60, "it tells of no full disk")
    with pytest.raises(urllib.error.HTTPError) as refused:
        archiver.get("healthz")
    assert json.load(refused.value)["status"] == "disk full"
    assert archiver.newest_ns(pv), "what it has cannot be read"
    archiver.inside(stop_eating(make_room=True))
    until(lambda: archiver.info.get("disk_full") is False, 30, "it does not see that there is room")
    before = archiver.newest_ns(pv)
    until(lambda: archiver.newest_ns(pv) > before, 30, "it does not go on")
    assert archiver.info["started_ns"] == begun, archiver.site.run("archiver", "log", NAME).out


def test_it_comes_back_after_all_was_eaten_at_once(archiver: Archiver) -> None:
    pv = f"{archiver.site.prefix('mag')}00:READI"
    group = archiver.group
    archiver.inside(eat("memory", "cpu", "disk"))
    archiver.wait_until_full()
    # Its program is lost too, in the worst case: the kernel may choose it as well.
    archiver.site.kill(archiver.site.pid(NAME, "linacre.archiver.main"))
    assert group.memory_most > 0.97 * MEMORY
    archiver.inside(stop_eating(make_room=True))
    until(lambda: archiver.info.get("connected") == PVS, 60, "it did not come back")
    before = archiver.newest_ns(pv)
    until(lambda: archiver.newest_ns(pv) > before, 30, "it does not go on")
    assert archiver.info["disk_full"] is False
    until(lambda: archiver.site.run("status", "--json").status == 0, 60, "not all is green")
