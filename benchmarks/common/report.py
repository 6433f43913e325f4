"""Running a benchmark some times and printing what came out, also where it fails half-way."""

from __future__ import annotations

import json
import statistics
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.conditions import say
from common.ending import Told, ending_in_order
from linacre.base.errors import LinacreError
from linacre.base.paths import StatePaths

Result = dict[str, Any]
Keep = Callable[[Result], None]
"""Takes figures of a run as soon as they are known: what comes later may fail.

A figure of the same name takes the place of the earlier one.
"""


class Report:
    """What a benchmark has measured so far; it is in a file until it has been printed.

    The file is for a benchmark that is killed itself.
    """

    def __init__(self, benchmark: str, aim: Result, *, file: Path) -> None:
        self.benchmark = benchmark
        self._head: Result = {"benchmark": benchmark, **aim}
        self._file = file
        self._runs: list[Result] = []
        self._whole = 0

    def conditions(self, about: Result) -> None:
        """Say how it is measured."""
        self._head["conditions"] = about

    def begin_run(self) -> Keep:
        """Begin a run, and return what takes its figures."""
        figures: Result = {}

        def keep(more: Result) -> None:
            if not figures:
                self._runs.append(figures)
            figures.update(more)
            self._write()

        return keep

    def end_run(self) -> None:
        """Say that the run which was begun has all its figures."""
        self._whole += 1

    def text(self, error: str | None = None) -> str:
        """Return the report as JSON; runs that failed half-way are no part of the medians."""
        about: Result = {} if error is None else {"error": error}
        runs = {"median": medians(self._runs[: self._whole] or self._runs), "runs": self._runs}
        return json.dumps(self._head | about | runs, indent=2)

    def print(self, error: str | None = None) -> None:
        """Print the report, and remove its file."""
        print(self.text(error), flush=True)
        # Without figures of ours it is another's, who runs the same at this time.
        if self._runs:
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        temporary.write_text(self.text("it has not ended") + "\n")
        temporary.replace(self._file)


def report(
    benchmark: str,
    *,
    aim: Result,
    repeat: int,
    conditions: Callable[[], Result],
    run: Callable[[Keep], None],
) -> int:
    """Run a benchmark, print its figures and their medians as JSON, and return the exit status.

    `conditions` is called first and says how it is measured. Where something fails, or a signal
    ends it, what was measured is printed all the same, with the reason as `error`.
    """
    file = StatePaths.from_environment().root / f"bench-{benchmark}.json"
    found = Report(benchmark, aim, file=file)
    with ending_in_order():
        error, status = _measure(found, repeat=repeat, conditions=conditions, run=run)
    if error is not None:
        say(f"linacre bench: {error}")
    found.print(error)
    return status


def _measure(
    found: Report, *, repeat: int, conditions: Callable[[], Result], run: Callable[[Keep], None]
) -> tuple[str | None, int]:
    """Return what went wrong, if anything did, and the exit status."""
    try:
        found.conditions(conditions())
        for number in range(1, repeat + 1):
            say(f"{found.benchmark}: run {number} of {repeat}")
            run(found.begin_run())
            found.end_run()
    except (LinacreError, Told) as error:
        return _words(error), error.exit_status
    except Exception as error:
        # A defect of the benchmark's: the figures are right all the same.
        traceback.print_exc()
        return _words(error), 1
    return None, 0


def _words(error: BaseException) -> str:
    """Return what went wrong, first things first: clearing up may have failed after it."""
    said = str(error) if isinstance(error, LinacreError | Told) else f"{error!r}"
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(before, LinacreError | Told):
        return f"{_words(before)}; then: {said}"
    return said


def within(keep: Keep, name: str) -> Keep:
    """Return what takes the figures of a part, and keeps them together by its name."""
    figures: Result = {}

    def keep_part(more: Result) -> None:
        figures.update(more)
        keep({name: figures})

    return keep_part


def medians(runs: Sequence[Mapping[str, Any]]) -> Result:
    """Return the median of every number in the runs, by the same names."""
    found: Result = {}
    for key, value in runs[0].items() if runs else ():
        values = [run[key] for run in runs if key in run]
        if isinstance(value, Mapping):
            found[key] = medians(values)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = rounded(statistics.median(values))
    return found


def rounded(value: float) -> float:
    """Return a number without digits that mean nothing: milliseconds, and whole bytes."""
    return round(value) if abs(value) >= 10_000 else round(value, 3)
