"""The checks of the project, and which of them and of their tests are to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError

# The system tests wait more than they compute: four keep two cores busy.
_WORKERS = {"unit": "2", "system": "4"}
_ORDINARY = "not thorough"


@dataclass(frozen=True)
class Choice:
    """Which tests are to run."""

    everything: bool = False
    """The thorough ones as well: each takes minutes, and repeats what others show once."""
    expression: str | None = None
    """As pytest's `-k` takes it."""


@dataclass(frozen=True)
class Check:
    """One check: a program that says by its exit status whether all is well."""

    name: str
    argv: tuple[str, ...]
    has_tests: bool = False
    """Whether it is pytest that runs."""

    @property
    def line(self) -> str:
        """The command as a person would type it."""
        return " ".join((Path(self.argv[0]).name, *self.argv[1:]))

    def reporting(self, file: Path) -> tuple[str, ...]:
        """Return the command that also writes what came of each test into a file."""
        return (*self.argv, f"--junitxml={file}")


def all_checks(choice: Choice) -> dict[str, Check]:
    """Return every check by its name, those that need nothing but files first."""
    folder = Path(sys.executable).parent
    tools = {
        "lint": ("ruff", "check", "."),
        "format": ("ruff", "format", "--check", "."),
        "layers": ("lint-imports", "--no-cache"),
        "types": ("pyright", "--pythonpath", sys.executable),
    }
    found = {
        name: Check(name, (str(folder / program), *options))
        for name, (program, *options) in tools.items()
    }
    pytest = str(folder / "pytest")
    for name, options in (
        ("unit", ("-q", "--durations=5")),
        ("system", ("-v", "--durations=15", "--timeout=600")),
    ):
        chosen: list[str] = [] if choice.everything else ["-m", _ORDINARY]
        if choice.expression is not None:
            chosen += ["-k", choice.expression]
        argv = (pytest, *options, "-n", _WORKERS[name], *chosen, f"tests/{name}")
        found[name] = Check(name, argv, has_tests=True)
    return found


def choose(named: Sequence[str], choice: Choice, *, only_tests: bool = False) -> list[Check]:
    """Return the checks to run: those named, or all; with tests chosen, all that have tests.

    Raises `UserError` for a name that no check has, or one without tests where there must be some.
    """
    there = all_checks(choice)
    only_tests = only_tests or choice.expression is not None
    possible = [name for name, check in there.items() if check.has_tests or not only_tests]
    for name in named:
        if name not in there:
            raise UserError(f"there is no check {name}; there are: {', '.join(there)}")
        if name not in possible:
            raise UserError(f"{name} has no tests to choose from; these have: unit, system")
    return [there[name] for name in possible if not named or name in named]
