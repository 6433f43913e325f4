"""The seconds that the tests of a folder may take: told at the end of a run, never a failure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from linacre.cli.checks.results import Result, summed

FILE = "budget.toml"
"""Beside the tests: a table for each of their trees, with seconds by folder."""


def read_budget(tests: Path) -> dict[str, float]:
    """Return the budgets by folder, as `unit/cli`."""
    trees = tomllib.loads((tests / FILE).read_text())
    return {f"{tree}/{name}": float(s) for tree, each in trees.items() for name, s in each.items()}


def budget_table(results: Iterable[Result], budgets: Mapping[str, float] | None) -> list[str]:
    """Return the lines of a table: folder, tests, seconds, budget, and what exceeds its own.

    Without budgets, as for a run of everything, the table says what each folder took.
    """
    rows = summed(results)
    width = max((len(folder) for folder in rows), default=0)
    lines = [f"{'folder':<{width}}  tests  seconds" + ("  budget" if budgets is not None else "")]
    over: list[str] = []
    for folder, (tests, seconds) in rows.items():
        line = f"{folder:<{width}}  {tests:>5}  {seconds:>7.1f}"
        if budgets is not None:
            budget = budgets.get(folder)
            line += f"  {'none' if budget is None else f'{budget:.0f}':>6}"
            if budget is not None and seconds > budget:
                line += f"  <- over by {seconds - budget:.1f} s"
                over.append(folder)
        lines.append(line)
    tests, seconds = (sum(column) for column in zip((0, 0.0), *rows.values(), strict=True))
    lines.append(f"{'all':<{width}}  {tests:>5}  {seconds:>7.1f}")
    if over:
        lines.append(f"over budget ({FILE} has it; this is no failure): {', '.join(over)}")
    return lines
