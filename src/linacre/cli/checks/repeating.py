"""The same tests again and again under a loaded machine: what fails, and how often."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError
from linacre.cli.checks.choosing import Check
from linacre.cli.checks.results import Result, read_results

# It ends with whoever started it, even where that is killed.
_BUSY = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(10**6):
        pass
"""
_NO_TESTS = 5


@dataclass(frozen=True)
class Round:
    """One run of the tests."""

    results: tuple[Result, ...]
    broke: bool = False
    """Whether pytest failed without a test that did."""
    log: Path | None = None
    """What it printed, kept where something failed."""


@contextmanager
def loaded_machine() -> Generator[list[int]]:
    """Keep every core busy during the block; gives the ids of the processes that do."""
    argv = [sys.executable, "-c", _BUSY, str(os.getpid())]
    busy = [subprocess.Popen(argv) for _ in range(os.cpu_count() or 1)]
    try:
        yield [each.pid for each in busy]
    finally:
        for each in busy:
            each.kill()
            each.wait()


def repeat(
    checks: Sequence[Check],
    times: int,
    *,
    root: Path,
    say: Callable[[str], None],
    load: Callable[[], AbstractContextManager[object]] = loaded_machine,
) -> list[Round]:
    """Run the tests of the checks so many times on a loaded machine.

    Raises `UserError` where none was chosen.
    """
    logs = Path(tempfile.mkdtemp(prefix="linacre-repeat-"))
    rounds: list[Round] = []
    with load():
        for number in range(1, times + 1):
            begun = time.monotonic()
            for check in checks:
                log = logs / f"{number}-{check.name}.log"
                each = _once(check, root=root, log=log)
                failed = [result.test for result in each.results if result.failed]
                if each.results or each.broke:
                    took = time.monotonic() - begun
                    said = f"{len(each.results) - len(failed)} passed, {len(failed)} failed"
                    said += ", and pytest itself failed" if each.broke else ""
                    where = f" (printed: {each.log})" if each.log else ""
                    say(f"round {number} of {times}: {check.name}: {said} in {took:.1f} s{where}")
                    rounds.append(each)
    if not any(logs.iterdir()):
        logs.rmdir()
    if not rounds:
        raise UserError("none of the tests was chosen: see pytest --collect-only -k EXPR")
    return rounds


def _once(check: Check, *, root: Path, log: Path) -> Round:
    report = log.with_suffix(".xml")
    with log.open("w") as output:
        status = subprocess.run(
            check.reporting(report),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    results = tuple(read_results(report))
    report.unlink(missing_ok=True)
    if status in (0, _NO_TESTS):
        log.unlink()
        return Round(results)
    return Round(results, broke=not any(result.failed for result in results), log=log)


def repeat_report(rounds: Sequence[Round]) -> list[str]:
    """Return the lines that say which tests failed, how often of how often, and where to read."""
    ran = Counter(result.test for each in rounds for result in each.results)
    failed = Counter(r.test for each in rounds for r in each.results if r.failed)
    lines = [
        f"{number} of {ran[test]} failed: {test}"
        for test, number in sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    ]
    for each in rounds:
        if each.broke:
            lines.append(f"pytest itself failed: {each.log}")
    tests, runs = len(ran), max(ran.values(), default=0)
    if not lines:
        return [f"{tests} tests, each run {runs} times on a loaded machine: none failed"]
    lines.append(f"{len(failed)} of {tests} tests failed at least once in {runs} runs")
    return lines
