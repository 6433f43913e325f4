"""`linacre find`, `linacre catalogue`, `linacre ioc history` and `rollback`: what is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    listener_of,
    progress_interaction,
    run,
    say,
    session_of,
)
from linacre.cli.ioc import NameArgument

if TYPE_CHECKING:
    from linacre.catalogue.model import Action, Found, State
    from linacre.operations.history.rebuild import Rebuilt
    from linacre.operations.history.rollback import RolledBack

catalogue = typer.Typer(no_args_is_help=True, help="The database of what there is and was.")


def add_to(app: typer.Typer, ioc: typer.Typer) -> None:
    """Put the commands into the command line, and into its noun `ioc`."""
    app.command()(find)
    app.add_typer(catalogue, name="catalogue")
    ioc.command()(history)
    ioc.command()(rollback)


def find(
    pattern: Annotated[
        str, typer.Argument(help="A name, or a pattern with *, ? and [], in quotes.")
    ],
    file: FileOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 1000,
) -> None:
    """Find PVs by their name, and IOCs by their name, owner, area or device type."""
    from linacre.cli.render import print_json, print_table

    found = run(_found(file, pattern, limit))
    if as_json:
        print_json({"matches": found.matches, "more": found.more})
        raise typer.Exit(0 if found.matches else 1)
    columns = ["PV", "TYPE", "IOC", "ADDRESS", "AREA", "OWNER", "DESCRIPTION"]
    rows = [
        [m.pv or "-", m.record_type, m.ioc, m.address, m.area, m.owner, m.description]
        for m in found.matches
    ]
    if not rows:
        say(f"nothing is called {pattern}; a pattern has *, such as '*{pattern}*'")
        raise typer.Exit(1)
    print_table(columns, rows)
    if found.more:
        say(f"the first {limit} are shown, and there are more: --limit, or a narrower pattern")


async def _found(file: Path | None, pattern: str, limit: int) -> Found:
    from linacre.base.paths import StatePaths
    from linacre.catalogue import Catalogue
    from linacre.session.catalogue_access import known_facility

    known = known_facility(file, state=StatePaths.from_environment(), folder=Path.cwd())
    async with await Catalogue.open(known.catalogue, logs=known.paths.logs) as opened:
        return await opened.inventory(known.name).find(pattern, limit=limit)


@catalogue.command()
def rebuild(file: FileOption = None, as_json: JsonOption = False) -> None:
    """Make the catalogue anew from the engine: the present comes back; lost history does not."""
    from linacre.cli.render import UpProgress, print_json
    from linacre.operations.history.rebuild import rebuild as make_anew

    async def work(progress: UpProgress) -> Rebuilt:
        return await make_anew(await session_of(file), listener=listener_of(progress))

    with UpProgress() as progress:
        made = run(work(progress))
    if made.set_aside is not None:
        say(f"the catalogue was damaged; it is now {made.set_aside}")
    if made.tasks <= 0:
        say("no history was found: what was done before now is lost, or was done elsewhere")
    if as_json:
        print_json(made)
        return
    typer.echo(
        f"{made.machines} machines, {made.iocs} IOCs with {made.records} PVs, "
        f"{made.states} states in their history"
    )


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

    async def work() -> tuple[list[State], list[Action]]:
        session = await session_of(file)
        states, actions = await past_of(session, name)
        if not states and not actions:
            session.check_ioc(name)
            raise LinacreError(f"{name} has no history yet: it begins with the next linacre up")
        return states, actions

    states, actions = run(work())
    if diff is not None:
        typer.echo(_state(name, states, diff).diff, nl=False)
    elif settings is not None:
        typer.echo(_state(name, states, settings).settings, nl=False)
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
                state.error or state.note,
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
