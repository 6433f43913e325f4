"""A group of commands that imports the module of that command only which is given."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_name, get_group

from linacre.cli.commands import COMMANDS

_WHOLE = 1_000
"""More letters than a command's line in a help has: none is cut."""


class LazyGroup(TyperGroup):
    """The group whose commands stand in `COMMANDS` under its name.

    `linacre --help` is made from that table; a noun's help imports the noun's commands.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._places = COMMANDS[self.name or ""]
        for name, place in self._places.items():
            self.add_command(TyperCommand(name, help=place.help))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, of whose options nothing is known yet; None where there is no such.

        A kind of machine without commands of its own has those of all kinds, under its name.
        """
        if (found := super().get_command(ctx, cmd_name)) is not None or ctx.parent is not None:
            return found
        from linacre.cli.programs import command_of

        return command_of(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is given, imported, with its name and its own arguments."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, self.load(name) if name and name in self._places else found, rest

    def load(self, name: str) -> Any:
        """Import a command and return it; a noun is a group."""
        place = self._places[name]
        app = typer.Typer(rich_markup_mode=None)
        if place.module is None:
            noun = typer.Typer(cls=LazyGroup, no_args_is_help=True)
            app.add_typer(noun, name=name, help=place.help)
        else:
            # No more than this one: typer is slow with the options of a command.
            written: typer.Typer = import_module(f"linacre.cli.{place.module}").app
            app.registered_commands += [
                each for each in written.registered_commands if name_of(each) == name
            ]
        return get_group(app).commands[name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line for each command, in the order of the table."""
        rows: list[tuple[str, str]] = []
        for name, place in self._places.items():
            shown = self.commands[name] if place.help else self.load(name)
            rows.append((name, shown.get_short_help_str(_WHOLE)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def name_of(command: typer.models.CommandInfo) -> str:
    """Return what a command is called on the command line."""
    assert command.callback is not None
    return command.name or get_command_name(command.callback.__name__)
