"""Archivers on demand: made while the facility runs, told of changes, and their data kept."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

import pytest
from harness import Site, until

# The image of archivers may have to be built first, beside other tests.
pytestmark = pytest.mark.timeout(600)

PVS = 100
MEMORY = "256MiB"


def database() -> str:
    return "".join(
        f'record(calc, "$(P){n:03}:READI") {{ field(SCAN, ".5 second") field(CALC, "VAL+1") }}\n'
        for n in range(PVS)
    ) + "".join(f'record(ao, "$(P){n:03}:SETI") {{ field(PINI, "YES") }}\n' for n in range(10))


class Trial:
    """A facility with an IOC of a hundred PVs, on one of the engines."""

    def __init__(self, site: Site, engine: str) -> None:
        self.site = site
        self.engine = engine
        site.ioc("mag", 11)
        site.source("mag", {"ioc.db": database()})
        site.machines |= {"drift", "other", "vac"}
        self.prefix = site.prefix("mag")
        if engine == "process":
            site.settings = {"engine": engine}
        # As a person writes it: the harness's JSON is not edited.
        how = "process" if engine == "process" else "{kind: incus, pool_size: 2GiB}"
        (site.folder / "facility.yaml").write_text(
            f"facility: {site.name}\nengine: {how}\n"
            f"networks:\n  controls: {{subnet: {site.subnet}.0/24}}\n"
            "iocs:\n  # The magnets.\n  mag:\n    kind: softioc\n    source: iocs/mag\n"
            f"    address: {site.address('mag')}\n"
        )

    @property
    def declared(self) -> dict[str, Any]:
        text = self.site.ok("archiver", "list", "--json").out
        return {row["name"]: row for row in json.loads(text)}

    def create(self, name: str, *more: str) -> str:
        """Make an archiver and return its URL."""
        return self.site.ok("archiver", "create", name, *more).out.strip()

    def told(self, name: str) -> dict[str, Any]:
        return self.declared[name]["told"] or {}


def get(url: str, path: str) -> Any:
    with urllib.request.urlopen(f"{url}api/v1/{path}", timeout=60) as answer:
        return json.load(answer)


def last(url: str, names: list[str]) -> dict[str, Any]:
    """Return the newest stored sample of each PV, asked as anybody would."""
    query = "&".join(f"pv={name}" for name in names)
    try:
        return {each["pv"]: each for each in get(url, f"last?{query}")}
    except urllib.error.HTTPError as error:
        # A PV that has no series yet is not known.
        assert error.code == 404, error
        return {}


def all_stored(url: str, names: list[str]) -> bool:
    found = last(url, names)
    return len(found) == len(names) and all(each["time_ns"] for each in found.values())


@pytest.fixture(scope="module", params=["process", "incus"])
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    missing = [name for name in ("pyarrow", "fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: pip install 'linacre[archiver]'")
    if request.param == "process" and shutil.which("procServ") is None:
        pytest.skip("procServ is not installed: apt-get install procserv")
    if request.param == "incus":
        request.getfixturevalue("containers")
    site = Site(f"at-{request.param[:4]}")
    try:
        found = Trial(site, request.param)
        site.ok("up", "--yes")
        site.ok("archiver", "prepare", limit_s=400)
        yield found
    finally:
        site.remove()


@pytest.fixture(scope="module")
def drift(trial: Trial, timings: dict[str, float]) -> str:
    """The archiver of all hundred PVs: its URL."""
    names = [f"{trial.prefix}{n:03}:READI" for n in range(PVS)]
    begun = time.monotonic()
    url = trial.create(
        *("drift", "--pvs", f"{trial.prefix}*:READI", "--for", "7d", "--owner", "us"),
        *("--memory", MEMORY, "--cpu", "1", "--disk", "300MiB"),
    )
    made = time.monotonic()
    until(lambda: all_stored(url, names), 30, "no sample of some PVs")
    timings[f"archiver create ({trial.engine})"] = round(made - begun, 2)
    timings[f"archiver create to 100 first samples ({trial.engine})"] = round(
        time.monotonic() - begun, 2
    )
    return url


def test_every_pv_that_the_pattern_means_is_archived(trial: Trial, drift: str) -> None:
    row = trial.declared["drift"]
    assert (row["green"], row["owner"], row["url"]) == (True, "us", drift)
    assert (row["told"]["pvs"], row["told"]["connected"]) == (PVS, PVS)
    text = (trial.site.folder / "facility.yaml").read_text()
    assert f"{trial.prefix}*:READI" in text
    status = trial.site.ok("status")
    assert "and 1 of 1 archivers as they should be" in status.out


def test_a_declared_pv_that_is_not_archived_is_found(trial: Trial, drift: str) -> None:
    def findings() -> list[dict[str, Any]]:
        told = json.loads(trial.site.run("doctor", "--json").out)
        (check,) = (each for each in told["checks"] if each["check"] == "archived")
        return check["findings"]

    assert findings() == []
    gone = f"{trial.prefix}007:READI"
    order = urllib.request.Request(f"{drift}api/v1/pvs/{quote(gone, safe='')}", method="DELETE")
    urllib.request.urlopen(order, timeout=60).close()
    (finding,) = findings()
    assert finding["what"] == "drift"
    assert finding["text"] == f"1 of {PVS} declared PVs not archived: {gone}"
    trial.site.ok("archiver", "restart", "drift")
    assert findings() == []
    assert "drift" in trial.site.ok("doctor", "--json").out or trial.engine
    machines = trial.site.ok("archiver", "log", "drift", "-n", "20").out
    assert "archiver drift: http://" in machines


def test_its_end_moves_while_it_runs(trial: Trial, drift: str) -> None:
    before = get(drift, "")
    trial.site.ok("archiver", "extend", "drift", "--for", "30d")
    after = get(drift, "")
    assert after["started_ns"] == before["started_ns"], "it was restarted"
    assert after["ends_ns"] - before["ends_ns"] > 22 * 86400 * 10**9
    assert trial.told("drift")["ends"] == trial.declared["drift"]["until"]
    trial.site.ok("archiver", "extend", "drift", "--no-end")
    assert get(drift, "")["ends_ns"] is None


def test_pvs_are_added_paused_and_given_up(trial: Trial, drift: str) -> None:
    more = f"{trial.prefix}000:READI.HIHI"
    trial.site.ok("archiver", "add", "drift", more)
    until(lambda: all_stored(drift, [more]), why="the added PV has no sample")
    assert trial.site.ok("archiver", "pause", "drift", more).err == "drift: 1 PV paused\n"
    assert get(drift, f"pvs/{more}")["state"] == "paused"
    assert "paused already" in trial.site.ok("archiver", "pause", "drift", more).err
    assert trial.site.ok("archiver", "resume", "drift").err == "drift: 1 PV taken again\n"
    until(lambda: get(drift, f"pvs/{more}")["state"] == "connected")
    trial.site.ok("archiver", "remove", "drift", more)
    assert get(drift, "")["pvs"] == PVS
    assert last(drift, [more])[more]["time_ns"], "the data of a PV that was given up are gone"
    pattern, held = f"{trial.prefix}00?:SETI", f"{trial.prefix}001:SETI"
    trial.site.ok("archiver", "add", "drift", pattern, held)
    assert get(drift, "")["pvs"] == PVS + 10
    trial.site.ok("archiver", "remove", "drift", pattern)
    assert get(drift, "")["pvs"] == PVS + 1, (
        "what the pattern meant, and nothing else said, goes on"
    )
    assert get(drift, f"pvs/{held}")["pv"] == held
    trial.site.ok("archiver", "remove", "drift", held)
    assert get(drift, "")["pvs"] == PVS
    refused = trial.site.run("archiver", "remove", "drift", held)
    assert refused.status == 2 and "is not among the PVs" in refused.err


def test_it_goes_on_after_its_program_was_killed(trial: Trial, drift: str) -> None:
    name = f"{trial.prefix}001:READI"
    before = last(drift, [name])[name]["time_ns"]
    begun = get(drift, "")["started_ns"]
    done = trial.site.ok("archiver", "restart", "drift")
    assert "drift: restarted" in done.err
    assert get(drift, "")["started_ns"] > begun
    until(lambda: last(drift, [name])[name]["time_ns"] > before, why="no new samples")
    count = get(drift, f"samples?pv={name}&start=-1h")["rows"]
    assert count[0][0] <= before, "what it had is gone"


def test_its_disk_is_a_ceiling_and_others_have_room(trial: Trial, drift: str) -> None:
    if trial.engine != "incus":
        pytest.skip("the process engine holds no limits: its samples are kept by --disk alone")
    fill = "dd if=/dev/urandom of=/srv/persist/fill bs=1M count=400; rm /srv/persist/fill; sync"
    done = trial.site.inside("drift", fill)
    assert "Disk quota exceeded" in done.err
    # That holds after machines were removed too, when the kernel would give up counting.
    trial.create("other", "--pvs", f"{trial.prefix}003:READI")
    trial.site.ok("archiver", "delete", "other", "--purge", "--yes")
    assert "Disk quota exceeded" in trial.site.inside("drift", fill).err
    assert trial.told("drift")["connected"] == PVS


def test_an_ioc_that_comes_later_is_archived_too(trial: Trial, drift: str) -> None:
    trial.site.ok(
        "ioc", "create", "vac", "--template", "softioc", "--set", f"PREFIX={trial.prefix}V:"
    )
    trial.site.machines.add("vac")
    name = f"{trial.prefix}V:READI"
    until(lambda: all_stored(drift, [name]), 20, "no sample of the new IOC's PV")
    trial.site.ok("ioc", "delete", "vac", "--purge", "--yes")


def test_it_comes_up_again_with_the_facility(trial: Trial, drift: str) -> None:
    name = f"{trial.prefix}002:READI"
    before = last(drift, [name])[name]["time_ns"]
    trial.site.ok("down")
    trial.site.ok("up", "--yes")
    assert trial.declared["drift"]["green"]
    until(lambda: last(drift, [name])[name]["time_ns"] > before, why="no new samples")
    assert "nothing to change" in trial.site.ok("up", "--yes").err


def test_one_with_an_end_serves_what_it_has(trial: Trial, drift: str) -> None:
    name = f"{trial.prefix}003:READI"
    # From when it is asked for: on a busy host the machine alone takes 20 s of it.
    url = trial.create("other", "--pvs", name, "--for", "1min")
    until(lambda: all_stored(url, [name]), why="no sample")
    until(lambda: get(url, "")["read_only"], 90, why="it does not end")
    assert last(url, [name])[name]["time_ns"]
    assert trial.told("other")["has_ended"]
    trial.site.ok("archiver", "extend", "other", "--for", "1h")
    ended = last(url, [name])[name]["time_ns"]
    until(lambda: last(url, [name])[name]["time_ns"] > ended, why="it does not go on")
    trial.site.ok("archiver", "delete", "other", "--purge", "--yes")


def test_what_is_typed_wrong_is_one_line(trial: Trial, drift: str) -> None:
    done = trial.site.run("archiver", "create", "none", "--pvs", "NO-SUCH-*")
    assert done.status == 2
    assert done.problem.startswith("linacre: NO-SUCH-* means no PV of ")
    assert "none" not in trial.declared
    done = trial.site.run("archiver", "create", "drift", "--pvs", "X")
    assert (done.status, "there is an archiver drift already" in done.problem) == (2, True)
    assert trial.site.run("archiver", "extend", "drift").status == 2
    assert trial.site.run("archiver", "show", "mag").problem.endswith("linacre ioc show mag")


def test_deleted_data_are_kept_and_come_back(trial: Trial, drift: str) -> None:
    name = f"{trial.prefix}004:READI"
    oldest = get(drift, f"samples?pv={name}&start=-1h")["rows"][0][0]
    done = trial.site.ok("archiver", "delete", "drift", "--yes")
    assert "its data are kept" in done.err
    assert "drift" not in trial.declared
    assert "deleted, data kept: drift" in trial.site.ok("archiver", "list").err
    # No other machine may take them for its own.
    refused = trial.site.run("ioc", "create", "drift", "--template", "softioc")
    assert "there are data of a deleted archiver drift" in refused.problem
    trial.site.run("ioc", "delete", "drift", "--purge", "--yes")
    done = trial.site.ok("archiver", "create", "drift", "--pvs", name)
    assert "goes on with the data" in done.err
    url = done.out.strip()
    assert get(url, f"samples?pv={name}&start=-1h")["rows"][0][0] == oldest
    trial.site.ok("archiver", "delete", "drift", "--yes")
    trial.site.ok("archiver", "delete", "drift", "--purge", "--yes")
    assert "data kept" not in trial.site.ok("archiver", "list").err
    assert trial.site.run("archiver", "delete", "drift", "--purge", "--yes").status == 2
