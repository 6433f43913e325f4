"""These tests run side by side: nothing is shared by chance, and nothing measured is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Subnet

pytestmark = pytest.mark.timeout(300)

SYSTEM = Path(__file__).parents[1]
MODULE = """
import os
import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number, timings):
    timings[f"{__name__} {number}"] = os.environ.get("PYTEST_XDIST_WORKER", "none")
"""
MODULES = (
    "bring_up/test_one_facility.py",
    "clients/test_incus_clients.py",
    "crash/test_interrupted_up.py",
    "full/test_full.py",
    "purge/test_purge.py",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of tests like this one, that only say which worker ran them."""
    system = tmp_path / "tests/system"
    system.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(SYSTEM / "conftest.py", system)
    (system / "harness.py").write_text("Site = why_no_containers = None\n")
    for module in MODULES:
        (system / module).parent.mkdir()
        (system / module).write_text(MODULE)
    return system


def run(tree: Path, *options: str) -> tuple[str, dict[str, set[str]]]:
    """Return what pytest printed, and the workers of each module as its timings say."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        [*command, "tests/system"],
        cwd=tree.parents[1],
        # Not as a worker of the run that this test is in.
        env={key: value for key, value in os.environ.items() if "PYTEST" not in key},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done
    printed = done.stdout.partition("seconds that commands took")[2]
    told = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    assert len(told) == 4 * len(MODULES)
    workers: dict[str, set[str]] = {}
    for test, worker in told.items():
        workers.setdefault(test.split()[0], set()).add(worker)
    return done.stdout, workers


def test_a_module_stays_with_one_worker_and_all_timings_are_printed(tree: Path) -> None:
    printed, workers = run(tree, "-n", "2")
    assert all(len(each) == 1 for each in workers.values()), workers
    assert workers["test_one_facility"] == workers["test_incus_clients"]
    assert set.union(*workers.values()) == {"gw0", "gw1"}
    ended = re.findall(r"^\[(gw\d)\].* tests/system/(\S+)::", printed, re.MULTILINE)
    first = dict(reversed(ended))
    assert "crash/test_interrupted_up.py" in first.values(), "the longest is a worker's first"


@pytest.mark.parametrize("options", [["-n", "0"], ["-p", "no:xdist"]])
def test_without_workers_it_is_as_the_files_are(tree: Path, options: list[str]) -> None:
    printed, workers = run(tree, *options)
    assert set.union(*workers.values()) == {"none"}
    ran = re.findall(r"^tests/system/(\S+)::", printed, re.MULTILINE)
    assert tuple(dict.fromkeys(ran)) == MODULES


@pytest.fixture
def subnets() -> Iterator[list[Subnet]]:
    taken: list[Subnet] = []
    yield taken
    for each in taken:
        each.give_back()


def test_no_two_have_a_subnet_at_a_time(subnets: list[Subnet]) -> None:
    subnets += [Subnet() for _ in range(40)]
    assert len({each.numbers for each in subnets}) == 40
