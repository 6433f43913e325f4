"""`linacre test` and `linacre bench`: for those who build Linacre, from its source folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

import linacre
from linacre.base.errors import UserError

# The system tests wait more than they compute: four keep two cores half busy.
_WORKERS = ("-n", "4", "--durations=15")
_FORWARDED = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.command("test")(test)
    app.command("bench", context_settings=_FORWARDED)(bench)


def _source_folder() -> Path:
    root = Path(linacre.__file__).resolve().parents[2]
    if not (root / "tests").is_dir():
        raise UserError("this is an installed linacre: run ./linacre in its source folder")
    return root


def _checks(root: Path) -> dict[str, list[str]]:
    bin_folder = Path(sys.executable).parent
    pytest = [str(bin_folder / "pytest"), "-q"]
    return {
        "lint": [str(bin_folder / "ruff"), "check", "."],
        "format": [str(bin_folder / "ruff"), "format", "--check", "."],
        "types": [str(bin_folder / "pyright"), "--pythonpath", sys.executable],
        "layers": [str(bin_folder / "lint-imports"), "--no-cache"],
        "unit": [*pytest, "-n", "2", "--durations=5", "tests/unit"],
        "system": [*pytest, "-v", "--timeout=600", *_WORKERS, "tests/system"],
    }


def test(
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHECK]...", help="lint, format, types, layers, unit, system."),
    ] = None,
) -> None:
    """Run every check of the project: lint, types, layers, unit and system tests."""
    root = _source_folder()
    checks = _checks(root)
    for name in only or ():
        if name not in checks:
            raise UserError(f"there is no check {name}; there are: {', '.join(checks)}")
    failed: list[str] = []
    for name, argv in checks.items():
        if only and name not in only:
            continue
        typer.echo(
            f"== {name}: {' '.join(Path(argv[0]).name if a == argv[0] else a for a in argv)}"
        )
        begun = time.monotonic()
        status = subprocess.run(argv, cwd=root, stdin=subprocess.DEVNULL, check=False).returncode
        took = time.monotonic() - begun
        typer.echo(f"== {name}: {'passed' if status == 0 else 'FAILED'} in {took:.1f} s\n")
        if status != 0:
            failed.append(name)
    if failed:
        typer.echo(f"failed: {', '.join(failed)}")
        raise typer.Exit(1)
    typer.echo("every check passed")


def bench(
    name: Annotated[
        str,
        typer.Argument(help="footprint, bring-up, scale, swap, find, create, archive or archiver."),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[OPTIONS]")] = None,
) -> None:
    """Run a benchmark and print JSON with its conditions: `linacre bench footprint -n 20`."""
    folder = _source_folder() / "benchmarks"
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.is_file():
        there = ", ".join(sorted(p.stem.replace("_", "-") for p in folder.glob("[a-z]*.py")))
        raise UserError(f"there is no benchmark {name}; there are: {there}")
    os.execv(sys.executable, [sys.executable, str(file), *(arguments or ())])
