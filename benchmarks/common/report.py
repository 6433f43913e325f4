"""Running a benchmark some times and printing what came out."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from common.conditions import say
from linacre.base.errors import LinacreError

Result = dict[str, Any]
Keep = Callable[[Result], None]
"""Takes the figures of a run as soon as they are known: clearing up may still fail."""


def report(
    benchmark: str,
    *,
    aim: Result,
    repeat: int,
    conditions: Callable[[], Result],
    run: Callable[[Keep], None],
) -> int:
    """Run a benchmark, print its figures and their medians as JSON, and return the exit status.

    `conditions` is called first and says how it is measured. Runs before one that fails are
    printed all the same.
    """
    about: Result = {}
    runs: list[Result] = []
    status = 0
    try:
        about = conditions()
        for number in range(1, repeat + 1):
            say(f"{benchmark}: run {number} of {repeat}")
            run(runs.append)
    except LinacreError as error:
        say(f"linacre bench: {error}")
        status = error.exit_status
    except KeyboardInterrupt:
        say("linacre bench: interrupted")
        status = 130
    if runs:
        result = {"benchmark": benchmark, **aim, "conditions": about}
        print(json.dumps(result | {"median": medians(runs), "runs": runs}, indent=2))
    return status


def medians(runs: Sequence[Mapping[str, Any]]) -> Result:
    """Return the median of every number in the runs, by the same names."""
    found: Result = {}
    for key, value in runs[0].items():
        values = [run[key] for run in runs if key in run]
        if isinstance(value, Mapping):
            found[key] = medians(values)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[key] = rounded(statistics.median(values))
    return found


def rounded(value: float) -> float:
    """Return a number without digits that mean nothing: milliseconds, and whole bytes."""
    return round(value) if abs(value) >= 10_000 else round(value, 3)
