"""`linacre bundle` here, and everything from it alone on a bare Debian without any network."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bare_machine import BareMachine, start_making_tree, why_no_bare_machine
from harness import Site, why_no_containers
from ruamel.yaml import YAML

HASH = f"$6$hunter2${'x' * 86}"
ROUTES = "cat /proc/net/route /proc/net/ipv6_route | grep -c -v -E 'Iface|lo$'"

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1800)]


def git(folder: Path, *argv: str) -> None:
    author = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    subprocess.run(["git", "-C", str(folder), *author, *argv], check=True, capture_output=True)


def declare(machine: BareMachine, **settings: str) -> None:
    """Write the facility file of the machine as a person would, with these settings."""
    file = machine.root / "opt/facility/facility.yaml"
    facility = YAML(typ="safe").load(file) | settings
    YAML().dump(facility, file)


@pytest.fixture(scope="module")
def site(make_site_here: Callable[[str], Site]) -> Site:
    """A facility of two IOCs, one of them from a git repository that only this host has."""
    site = make_site_here("bun")
    site.access = {"telnet": {"user": "operator", "password_hash": HASH}}
    site.ioc("mag", 11)
    repository = site.root / "repository"
    site.ioc("bpm", 12, source={"git": f"file://{repository}", "revision": "main"})
    (site.folder / "iocs/bpm").rename(repository)
    git(repository, "init", "--quiet", "--initial-branch", "main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "one")
    return site


@pytest.fixture(scope="module")
def make_site_here() -> Iterator[Callable[[str], Site]]:
    """Return a maker of facilities that are never up on this host."""
    made: list[Site] = []

    def make(label: str) -> Site:
        made.append(Site(label))
        return made[-1]

    yield make
    for site in made:
        site.remove()


@pytest.fixture(scope="module")
def engine() -> str:
    """The engine that a bare machine on this host can have."""
    return "process" if why_no_containers() is not None else "incus"


@pytest.fixture(scope="module")
def bundle(site: Site, engine: str, timings: dict[str, float]) -> Path:
    if (reason := why_no_bare_machine()) is not None:
        pytest.skip(reason)
    if engine == "process":
        site.settings = {"engine": "process"}
    site.write()
    tree = start_making_tree()
    file = site.root / "trial.bundle"
    try:
        done = site.run("bundle", str(file), "--json", limit_s=1200)
    finally:
        if tree is not None:
            _, said = tree.communicate(timeout=900)
            assert tree.returncode == 0, said
    assert done.status == 0, done
    shown = json.loads(done.out)
    assert shown["bytes"] == file.stat().st_size
    assert shown["facility"] == site.name
    timings["bundle: made"] = done.took_s
    return file


@pytest.fixture(scope="module")
def machine(site: Site, bundle: Path) -> Iterator[BareMachine]:
    machine = BareMachine()
    try:
        shutil.copytree(site.folder, machine.root / "opt/facility")
        declare(machine)
        yield machine
        left = machine.leftovers(f"linacre-{site.name}")
    finally:
        machine.remove(f"linacre-{site.name}")
    assert not left


def test_a_bundle_that_is_there_is_not_written_over_unasked(site: Site, bundle: Path) -> None:
    before = bundle.stat()
    done = site.run("bundle", str(bundle))
    assert done.status == 1
    assert f"{bundle} (" in done.err
    assert " is lost. Go on? There is no terminal to ask on: give --yes." in done.err
    assert bundle.stat().st_mtime_ns == before.st_mtime_ns
    assert site.run("bundle", str(site.root)).status == 2


def test_no_key_of_the_facility_goes_into_a_bundle(bundle: Path) -> None:
    found = subprocess.run(["grep", "-c", "hunter2", bundle], capture_output=True, check=False)
    assert found.returncode == 1


def test_a_bare_machine_without_a_network_says_what_serves(machine: BareMachine) -> None:
    done = machine.run(f"{ROUTES}; ./linacre up -f /opt/facility", limit_s=400)
    assert done.out == "0\n"
    assert done.status == 1
    *_, last = done.err.splitlines()
    assert "no archive of Debian packages answers" in last
    assert "./linacre --bundle FILE" in last
    assert not (machine.root / "opt/linacre/.venv").exists()


def test_a_bundle_is_all_that_a_bare_machine_needs(
    machine: BareMachine, site: Site, bundle: Path, engine: str, timings: dict[str, float]
) -> None:
    shutil.copy(bundle, machine.root / "opt/trial.bundle")
    sources = machine.root / "etc/apt"
    before = sorted((str(path), path.stat().st_mtime_ns) for path in sources.rglob("*"))
    out = _run(machine, timings, "bundle: packages and wheels", "--version")
    assert "checking /opt/trial.bundle" in out
    assert out.count("linacre: from the bundle: image") == (2 if engine == "incus" else 0)
    assert out.count("linacre: from the bundle: git repository") == 1
    assert sorted((str(path), path.stat().st_mtime_ns) for path in sources.rglob("*")) == before

    pv = f"{site.prefix('mag')}SETI {site.prefix('bpm')}READI"
    client = f"exec -f /opt/facility -- caget -t {pv}"
    out = _run(
        machine,
        timings,
        f"bundle: up with the {engine} engine, looked at, down",
        "up --yes -f /opt/facility",
        client,
        "up --yes -f /opt/facility",
        "down --purge --yes -f /opt/facility",
    )
    assert f"up in {out.partition('up in ')[2].partition(' ')[0]} s ({engine} engine)" in out
    assert "1.5\n2.5\n" in out
    assert "nothing to change" in out
    for done_before in ("checking", "installing", "from the bundle"):
        assert done_before not in out


def test_without_containers_a_bundle_serves_processes(
    machine: BareMachine, site: Site, timings: dict[str, float]
) -> None:
    declare(machine, engine="process")
    pv = f"{site.prefix('mag')}SETI {site.prefix('bpm')}READI"
    out = _run(
        machine,
        timings,
        "bundle: up with the process engine, looked at, down",
        "up --yes -f /opt/facility",
        f"exec -f /opt/facility -- caget -t {pv}",
        "down --purge --yes -f /opt/facility",
    )
    assert "(process engine)" in out
    # It went away with the facility that had it.
    assert out.count("linacre: from the bundle: git repository") == 1
    assert "1.5\n2.5\n" in out


def test_the_process_engines_tests_pass_without_a_network(machine: BareMachine) -> None:
    tests = "tests/system/process tests/unit/engines/test_process_engine.py"
    done = machine.run(f".venv/bin/python -m pytest -q -n 2 --timeout=300 {tests}", limit_s=1500)
    assert done.status == 0, done
    assert " passed" in done.out
    assert "skipped" not in done.out.splitlines()[-1], done


def _run(machine: BareMachine, timings: dict[str, float], what: str, *commands: str) -> str:
    """Run commands in one boot of the machine; return all that they print."""
    each = "./linacre --bundle /opt/trial.bundle"
    done = machine.run(" && ".join(f"{each} {command}" for command in commands), limit_s=1200)
    assert done.status == 0, done
    timings[what] = done.took_s
    return done.err + done.out
