"""`linacre catalogue`: the database of what there is and was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from linacre.base.errors import LinacreError
from linacre.cli.context import FileOption, JsonOption, listener_of, put, run, say, session_of

if TYPE_CHECKING:
    from linacre.cli.render import UpProgress
    from linacre.operations.history.rebuild import Rebuilt

app = typer.Typer()


@app.command()
def rebuild(file: FileOption = None, as_json: JsonOption = False) -> None:
    """Make the catalogue anew from the engine: the present comes back; lost history does not.

    Where an IOC cannot be read from its machine, the others are written, and the status is 1.
    """
    from linacre.cli.render import UpProgress, print_json
    from linacre.operations.history.present import told_missed
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
    else:
        put(
            f"{made.machines} machines, {made.iocs} IOCs with {made.records} PVs, "
            f"{made.states} states in their history"
        )
    if made.missed:
        raise LinacreError(told_missed(made.missed))
