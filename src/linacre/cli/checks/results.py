"""What came of the tests of a run, from the report that pytest writes for machines."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """What came of one test."""

    test: str
    """As `unit.cli.test_render::test_it[one]`."""
    folder: str
    """As `unit/cli`."""
    seconds: float
    """What it took, with what was made ready for it and put away after it."""
    failed: bool


def read_results(file: Path) -> list[Result]:
    """Return what came of each test of a run; nothing where pytest wrote no report."""
    if not file.is_file():
        return []
    seconds: dict[str, float] = {}
    folders: dict[str, str] = {}
    failed: set[str] = set()
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        module = case.get("classname", "").removeprefix("tests.")
        # A file that cannot be read has its name, and no class.
        test = f"{module}::{case.get('name', '')}" if module else case.get("name", "")
        # A test whose end fails has a second entry.
        seconds[test] = seconds.get(test, 0.0) + float(case.get("time", "0"))
        folders[test] = "/".join(test.removeprefix("tests.").partition("::")[0].split(".")[:2])
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(test)
    return [Result(t, folders[t], seconds[t], t in failed) for t in seconds]


def summed(results: Iterable[Result]) -> dict[str, tuple[int, float]]:
    """Return the number of tests and their seconds by folder, in the order of the folders."""
    found: dict[str, tuple[int, float]] = {}
    for each in sorted(results, key=lambda result: result.folder):
        tests, seconds = found.get(each.folder, (0, 0.0))
        found[each.folder] = tests + 1, seconds + each.seconds
    return found
