"""`linacre ioc history` and `linacre ioc rollback`: what an IOC was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    known_facility,
    mark_interrupted,
    progress_interaction,
    put,
    run,
    say,
    session_of,
)
from linacre.cli.ioc import NameArgument

if TYPE_CHECKING:
    from linacre.catalogue.model import Action, State
    from linacre.cli.render import UpProgress
    from linacre.operations.history.rollback import RolledBack

app = typer.Typer()


@app.command()
def history(
    name: NameArgument,
    diff: Annotated[
        int | None, typer.Option("--diff", metavar="N", help="What state N changed.")
    ] = None,
    settings: Annotated[
        int | None,
        typer.Option("--settings", metavar="N", help="The part of the facility file in state N."),
    ] = None,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an IOC was and what was done with it: who, when, how, and what changed.

    A line with a number is a state, to which rollback leads back.
    """
    from linacre.base.errors import LinacreError
    from linacre.cli.render import print_json, print_table
    from linacre.operations.history.past import history as past_of

    known = known_facility(file)

    async def work() -> tuple[list[State], list[Action]]:
        async with known.catalogue_open() as catalogue:
            await mark_interrupted(catalogue)
            return await past_of(catalogue.inventory(known.name), name)

    states, actions = run(work())
    if not states and not actions:
        from linacre.declaration.load import load

        load(known.file).check_ioc(name)
        raise LinacreError(f"{name} has no history yet: it begins with the next linacre up")
    if diff is not None:
        put(_state(name, states, diff).diff, nl=False)
    elif settings is not None:
        put(_state(name, states, settings).settings, nl=False)
    elif as_json:
        print_json({"states": [_timed(s) for s in states], "actions": [_timed(a) for a in actions]})
    else:
        columns = ["N", "WHEN", "BY", "COMMAND", "ENDED", "WHAT", "REVISION", "NOTE"]
        print_table(columns, _history_rows(states, actions))


def _state(name: str, states: list[State], number: int) -> State:
    from linacre.base.errors import UserError

    for state in states:
        if state.number == number:
            return state
    last = states[-1].number if states else 0
    raise UserError(f"{name} has no state {number}; it has 1 to {last}: see linacre ioc history")


def _history_rows(states: list[State], actions: list[Action]) -> list[list[str]]:
    """Return a line for each state, and for each task that made none, by time."""
    from linacre.cli.render import local_time

    rows = [
        (
            state.at,
            [
                *(str(state.number), local_time(state.at), state.user, state.verb),
                *(state.outcome or "-", _changed(state), state.revision or state.digest[:10]),
                "; ".join(filter(None, (state.error or state.note, _start_errors(state)))),
            ],
        )
        for state in states
    ]
    made = {state.task_id for state in states}
    rows += [
        (
            action.at,
            [
                *("-", local_time(action.at), action.user, action.verb, action.outcome),
                *("; ".join(action.steps), "", action.error),
            ],
        )
        for action in actions
        if action.task_id not in made
    ]
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def _start_errors(state: State) -> str:
    from linacre.base.listing import counted

    told = f"{counted(state.start_errors or 0, 'error')} in its start script"
    return f"{told}, the first: {state.start_messages[0]}" if state.start_messages else ""


def _changed(state: State) -> str:
    """Return which files a state changed, in a few words."""
    if state.number == 1:
        return f"first of all: {len(state.files) - 1} files and settings"
    from linacre.operations.history.states import SETTINGS

    paths = [
        line.partition(": ")[2].replace(SETTINGS, "settings")
        for line in state.diff.splitlines()
        if line.startswith(("added: ", "removed: ", "changed: "))
    ]
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _timed(each: State | Action) -> dict[str, Any]:
    from dataclasses import asdict

    from linacre.cli.render import iso_time

    return asdict(each) | {"at": iso_time(each.at)}


@app.command()
def rollback(
    name: NameArgument,
    to: Annotated[
        int | None, typer.Option("--to", metavar="N", help="The state; by default the one before.")
    ] = None,
    yes: YesOption = False,
    file: FileOption = None,
) -> None:
    """Bring an earlier state of an IOC back, its files and its settings, as a new change."""
    from linacre.cli.render import UpProgress
    from linacre.operations.history.rollback import roll_back

    async def work(progress: UpProgress) -> RolledBack | None:
        interaction = progress_interaction(progress, yes=yes)
        return await roll_back(await session_of(file), name, to=to, interaction=interaction)

    with UpProgress() as progress:
        done = run(work(progress))
    if done is None:
        say("nothing was changed")
        raise typer.Exit(1)
    when = "" if done.is_up else "; it takes effect with linacre up"
    say(f"{name} is what it was in state {done.number}: {len(done.files)} files written{when}")
