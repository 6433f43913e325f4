"""`linacre test` and `linacre bench`: for those who build Linacre, from its source folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import linacre
from linacre.base.errors import UserError
from linacre.cli.context import put

_FORWARDED = {"ignore_unknown_options": True, "allow_interspersed_args": False}

app = typer.Typer()


def _source_folder() -> Path:
    root = Path(linacre.__file__).resolve().parents[2]
    if not (root / "tests").is_dir():
        raise UserError("this is an installed linacre: run ./linacre in its source folder")
    return root


@app.command()
def test(
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHECK]...", help="lint, format, layers, types, unit, system."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The thorough tests as well: long loops, large builds.")
    ] = False,
    expression: Annotated[
        str | None,
        typer.Option("-k", metavar="EXPR", help="Only tests that match, as pytest's -k takes it."),
    ] = None,
    times: Annotated[
        int | None,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            help="Run the tests N times on a loaded machine: what fails, and how often.",
        ),
    ] = None,
) -> None:
    """Run the checks of the project: lint, format, layers, types, unit and system tests.

    Those that need nothing but files come first; where one of them fails the system tests are not
    begun. Exit status 1 where one failed.
    """
    from linacre.cli.checks.budget import budget_table, read_budget
    from linacre.cli.checks.choosing import Choice, choose
    from linacre.cli.checks.repeating import repeat, repeat_report
    from linacre.cli.checks.running import run_checks

    root = _source_folder()
    choice = Choice(everything=everything, expression=expression)
    checks = choose(only or (), choice, only_tests=times is not None)
    if times is not None:
        rounds = repeat(checks, times, root=root, say=put)
        for line in repeat_report(rounds):
            put(line)
        if any(each.log for each in rounds):
            raise typer.Exit(1)
        return
    outcome = run_checks(checks, root=root, say=put)
    if outcome.results:
        budgets = None if everything else read_budget(root / "tests")
        for line in budget_table(outcome.results, budgets):
            put(line)
        put("")
    if not outcome.failed:
        put("every check passed")
        return
    if outcome.not_run:
        put(f"not run, because of what failed: {', '.join(outcome.not_run)}")
    put(f"failed: {', '.join(outcome.failed)}")
    raise typer.Exit(1)


@app.command(context_settings=_FORWARDED)
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="footprint, bring-up, scale, swap, noisy, walls, find, create, archive, archiver, "
            "truth, accelerator."
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[OPTIONS]")] = None,
) -> None:
    """Run a benchmark and print JSON with its conditions: `linacre bench footprint -n 20`."""
    folder = _source_folder() / "benchmarks"
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.is_file():
        there = ", ".join(sorted(p.stem.replace("_", "-") for p in folder.glob("[a-z]*.py")))
        raise UserError(f"there is no benchmark {name}; there are: {there}")
    # As a user has it: a command that keeps no byte code costs half as much again, each time.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, [sys.executable, str(file), *(arguments or ())])
