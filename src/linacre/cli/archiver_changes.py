"""`linacre archiver pause`, `resume`, `extend`, `add`, `remove`: changes of one that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linacre.base.listing import counted
from linacre.cli.archiver import NameArgument, option
from linacre.cli.changing import carry_out, tell
from linacre.cli.context import FileOption, JsonOption, run, say, session_of

if TYPE_CHECKING:
    from pathlib import Path

    from linacre.operations.changes.change_archiver import ChangedArchiver
    from linacre.operations.interaction import Interaction
    from linacre.session.session import Session

PvsArgument = Annotated[
    list[str], typer.Argument(metavar="PV", help="Names, or patterns in quotes.")
]
SomePvsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="PV", help="Names, or one pattern; without any, all."),
]

app = typer.Typer()


@app.command()
def pause(
    name: NameArgument,
    pvs: SomePvsArgument = None,
    file: FileOption = None,
) -> None:
    """Take no more samples of some PVs, or of all, until they are resumed."""
    _pause(name, pvs, file, resume=False)


@app.command()
def resume(
    name: NameArgument,
    pvs: SomePvsArgument = None,
    file: FileOption = None,
) -> None:
    """Take samples of paused PVs again."""
    _pause(name, pvs, file, resume=True)


def _pause(name: str, pvs: list[str] | None, file: Path | None, *, resume: bool) -> None:
    from linacre.operations.archivers import pause as change

    async def work() -> int:
        return await change(await session_of(file), name, pvs or [], resume=resume)

    if changed := run(work()):
        say(f"{name}: {counted(changed, 'PV')} {'taken again' if resume else 'paused'}")
    else:
        say(f"{name}: nothing to do: {'none was paused' if resume else 'paused already'}")


@app.command()
def extend(
    name: NameArgument,
    lasting: Annotated[str | None, option("--for", "How long, from now: 12h, 7d.", "TIME")] = None,
    until: Annotated[
        str | None, option("--until", "Until when: 2026-12-24T08:00:00Z.", "TIME")
    ] = None,
    no_end: Annotated[bool, typer.Option("--no-end", help="It is to have no end.")] = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move an archiver's end, also of one that has ended; it goes on without a gap."""
    from linacre.base.errors import UserError
    from linacre.operations.changes.change_archiver import extend as move
    from linacre.operations.changes.new_archiver import end_of

    if sum(each not in (None, False) for each in (lasting, until, no_end)) != 1:
        raise UserError("write one of --for 7d, --until 2026-12-24T08:00:00Z and --no-end")

    async def work(session: Session, interaction: Interaction) -> ChangedArchiver:
        end = end_of(lasting, until, now=session.clock.now())
        return await move(session, name, end, interaction)

    def words(changed: ChangedArchiver) -> None:
        _say_changed(changed, f"ends {changed.until}" if changed.until else "has no end")

    tell(carry_out(work, file), words, as_json=as_json)


@app.command()
def add(
    name: NameArgument, pvs: PvsArgument, file: FileOption = None, as_json: JsonOption = False
) -> None:
    """Let an archiver archive more PVs."""
    from linacre.operations.changes.change_archiver import add_pvs

    changed = carry_out(lambda session, asking: add_pvs(session, name, tuple(pvs), asking), file)
    what = f"archives {' '.join(pvs)} too"
    tell(changed, lambda done: _say_changed(done, what), as_json=as_json)


@app.command()
def remove(
    name: NameArgument, pvs: PvsArgument, file: FileOption = None, as_json: JsonOption = False
) -> None:
    """Let an archiver take no more samples of PVs; what it has of them stays."""
    from linacre.operations.changes.change_archiver import remove_pvs

    changed = carry_out(lambda session, asking: remove_pvs(session, name, tuple(pvs), asking), file)
    what = f"takes no more of {' '.join(pvs)}; their data stay"
    tell(changed, lambda done: _say_changed(done, what), as_json=as_json)


def _say_changed(changed: ChangedArchiver, what: str) -> None:
    later = "" if changed.is_running else " from the next linacre up on"
    say(f"{changed.archiver} {what}{later}")
