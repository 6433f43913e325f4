"""Running checks: what needs nothing but files first, and what can be beside another beside it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from linacre.cli.checks.choosing import Check
from linacre.cli.checks.results import Result, read_results

_NO_TESTS = 5
"""pytest's exit status where none of its tests was chosen."""
LAST = "system"
"""It needs a host that runs machines, and takes longest."""
_BESIDE = ("types", "unit")
"""Each of them keeps about a core busy."""

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What came of a run."""

    failed: list[str] = field(default_factory=list[str])
    not_run: list[str] = field(default_factory=list[str])
    """What was left out because an earlier one failed."""
    results: list[Result] = field(default_factory=list[Result])
    took_s: dict[str, float] = field(default_factory=dict[str, float])


def run_checks(checks: Sequence[Check], *, root: Path, say: Say) -> Outcome:
    """Run the checks in their order; the last is not begun where another has failed."""
    outcome = Outcome()
    by_name = {check.name: check for check in checks}
    hidden, host = (by_name.get(name) for name in _BESIDE)
    for check in checks:
        if check.name == LAST and outcome.failed:
            outcome.not_run.append(check.name)
        elif check is host and hidden is not None:
            with ThreadPoolExecutor(1) as other:
                captured = other.submit(_captured, hidden, root)
                _run(check, root=root, say=say, outcome=outcome)
            status, took, printed = captured.result()
            say(f"== {hidden.name}: {hidden.line} (beside {check.name})\n{printed.rstrip()}")
            _tell(hidden, status, took, say=say, outcome=outcome)
        elif check is not hidden or host is None:
            _run(check, root=root, say=say, outcome=outcome)
    return outcome


def _run(check: Check, *, root: Path, say: Say, outcome: Outcome) -> None:
    say(f"== {check.name}: {check.line}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        argv = check.reporting(report) if check.has_tests else check.argv
        done = subprocess.run(argv, cwd=root, stdin=subprocess.DEVNULL, check=False)
        outcome.results += read_results(report)
    _tell(check, done.returncode, time.monotonic() - begun, say=say, outcome=outcome)


def _captured(check: Check, root: Path) -> tuple[int, float, str]:
    begun = time.monotonic()
    done = subprocess.run(
        check.argv,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, time.monotonic() - begun, done.stdout


def _tell(check: Check, status: int, took_s: float, *, say: Say, outcome: Outcome) -> None:
    outcome.took_s[check.name] = took_s
    none_chosen = check.has_tests and status == _NO_TESTS
    if status != 0 and not none_chosen:
        outcome.failed.append(check.name)
    said = "has none of the chosen tests," if none_chosen else "FAILED" if status else "passed"
    say(f"== {check.name}: {said} in {took_s:.1f} s\n")
