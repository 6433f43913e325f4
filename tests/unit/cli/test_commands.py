"""The table of commands against the commands themselves."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import linacre.cli
from linacre.cli.commands import COMMANDS
from linacre.cli.lazy import LazyGroup, name_of
from linacre.cli.main import app


def group(noun: str) -> LazyGroup:
    root = get_command(app)
    assert isinstance(root, LazyGroup)
    found = root if noun == "linacre" else root.load(noun)
    assert isinstance(found, LazyGroup)
    return found


def written() -> set[tuple[str, str]]:
    """Return each command of the package: its module and its name."""
    found: set[tuple[str, str]] = set()
    for file in Path(linacre.cli.__file__).parent.glob("*.py"):
        module = import_module(f"linacre.cli.{file.stem}")
        if file.stem != "main" and hasattr(module, "app"):
            found |= {(file.stem, name_of(each)) for each in module.app.registered_commands}
    return found


def test_every_command_stands_in_the_table_where_it_is_written() -> None:
    told = [
        (place.module, name)
        for places in COMMANDS.values()
        for name, place in places.items()
        if place.module is not None
    ]
    assert len(told) == len(set(told))
    assert set(told) == written()


def test_every_noun_has_commands() -> None:
    nouns = {name for name, place in COMMANDS["linacre"].items() if place.module is None}
    assert nouns == COMMANDS.keys() - {"linacre"}


@pytest.mark.parametrize("name", COMMANDS["linacre"])
def test_a_line_of_the_help_is_the_first_of_the_commands_own(name: str) -> None:
    place = COMMANDS["linacre"][name]
    assert place.help == group("linacre").load(name).help.partition("\n\n")[0].replace("\n", " ")


@pytest.mark.parametrize("noun", COMMANDS)
def test_a_help_has_a_line_for_each_command_whole_and_in_order(noun: str) -> None:
    words = [] if noun == "linacre" else [noun]
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="linacre")
    assert shown.exit_code == 0
    listed = shown.stdout.partition("Commands:\n")[2]
    assert re.findall(r"^  (\S+)", listed, re.MULTILINE) == list(COMMANDS[noun])
    assert "..." not in listed


def test_what_is_mistyped_is_told_with_what_may_be_meant() -> None:
    shown = CliRunner().invoke(app, ["ioc", "sho"], prog_name="linacre")
    assert shown.exit_code == 2
    assert "No such command 'sho'. Did you mean 'show'" in shown.stderr
