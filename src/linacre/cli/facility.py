"""`linacre up`, `plan`, `down` and `status`: the facility as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.base.listing import listed
from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    confirm,
    listener_of,
    progress_interaction,
    put,
    run,
    say,
    session_of,
)
from linacre.cli.schema import SchemaOf

if TYPE_CHECKING:
    from linacre.cli.render import UpProgress
    from linacre.observing.status import FacilityStatus
    from linacre.operations.interaction import Interaction
    from linacre.planning.preview import UpOptions
    from linacre.session.session import Session

WhereArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FACILITY]", help="The facility file, or its folder.", show_default=False
    ),
]

app = typer.Typer()


@app.command()
def up(
    where: WhereArgument = None,
    file: FileOption = None,
    yes: YesOption = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove machines that are no longer declared.")
    ] = False,
    rebuild: Annotated[
        list[str] | None,
        typer.Option(
            "--rebuild",
            metavar="[NAME]",
            help="Make this machine anew from the present image; without a name, "
            "every outdated one, one at a time.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Bring the facility to what its file says; what is right already is left alone."""
    from linacre.cli.render import UpProgress
    from linacre.planning.preview import UpOptions

    async def work(progress: UpProgress) -> bool:
        session = await session_of(where or file)
        options = UpOptions(prune=prune, rebuild=tuple(rebuild or ()))
        try:
            return await _up(session, options, progress_interaction(progress, yes=yes))
        finally:
            await _arrange_boot(session)

    with UpProgress() as progress:
        went_on = run(work(progress))
    if not went_on:
        raise typer.Exit(1)


async def _up(session: Session, options: UpOptions, interaction: Interaction) -> bool:
    from linacre.operations.bring_up import bring_up
    from linacre.session.sandboxes import expired, expired_line

    begun = time.monotonic()
    ahead = await bring_up(session, options, interaction)
    if ahead is None:
        say("nothing was changed")
        return False
    took = time.monotonic() - begun
    done = "nothing to change" if ahead.plan.is_empty else f"up in {took:.1f} s"
    what = _counted(session, left_out=ahead.declared.left_out)
    say(f"{session.name}: {what}, {done} ({session.engine.name} engine)")
    about = session.note.sandbox if session.note else None
    facility = about.facility if about else session.name
    for over in expired(session.state, session.clock.now(), facility=facility):
        say(expired_line(over))
    return True


def _counted(session: Session, *, left_out: Collection[str]) -> str:
    said: list[str] = []
    for section in session.declaration.facility.sections:
        there = session.declaration.facility.section(section)
        count = len(there.keys() - {*left_out})
        # IOCs are what a facility is for: that there are none is told too.
        if count or not said:
            said.append(f"{count} {section.noun}{'' if count == 1 else 's'}")
    return ", ".join(said)


async def _arrange_boot(session: Session) -> None:
    """Have the host start what is marked autostart, and say so where that is new."""
    from linacre.operations.systemd_unit import arrange_boot
    from linacre.session.state import read_note

    before, after = session.note, read_note(session.paths)
    line = await arrange_boot(
        session.state,
        was_marked=before is not None and before.autostart,
        is_marked=after is not None and after.autostart,
    )
    if line is not None:
        say(line)


@app.command()
def plan(where: WhereArgument = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show what `up` would do, and change nothing."""
    from linacre.cli.render import print_json
    from linacre.planning.preview import UpOptions, preview

    async def work() -> None:
        session = await session_of(where or file)
        if await session.engine.exists():
            async with session.engine_open():
                ahead = await preview(session, UpOptions())
            if not await session.is_up():
                await session.engine.shut_down()
        else:
            ahead = await preview(session, UpOptions())
        if as_json:
            print_json(ahead.plan)
            return
        for note in (*filter(None, [session.engine_line]), *ahead.notes):
            put(note)
        for step in ahead.plan.steps:
            put(f"  {step.title}")
        if ahead.plan.restarts:
            put(f"restarts: {', '.join(ahead.plan.restarts)}")
        if ahead.plan.is_empty:
            put("nothing to change")

    run(work())


@app.command()
def down(
    where: WhereArgument = None,
    file: FileOption = None,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Remove everything: machines, persistent folders, history."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Stop the facility and keep its data; with --purge, remove all of it."""
    from linacre.cli.render import UpProgress
    from linacre.operations.take_down import purge as remove
    from linacre.operations.take_down import take_down, what_is_lost

    async def stop(progress: UpProgress) -> None:
        session = await session_of(where or file)
        count = await take_down(session, listener=listener_of(progress))
        say(f"{session.name}: down, {count} machines stopped, data kept")

    async def remove_all() -> bool:
        session = await session_of(where or file)
        if not yes:
            say(f"This removes for good, of {session.name}:")
            for line in what_is_lost(session):
                say(f"  - {line}")
            if not confirm("Remove it all?"):
                say("nothing was removed")
                return False
        there = await remove(session)
        say(f"{session.name}: {'removed' if there else 'there was nothing to remove'}")
        await _arrange_boot(session)
        return True

    if purge:
        if not run(remove_all()):
            raise typer.Exit(1)
        return
    with UpProgress() as progress:
        run(stop(progress))


@app.command()
def status(
    where: WhereArgument = None,
    file: FileOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again each two seconds.")] = False,
) -> None:
    """Show a line for each IOC and service; exit status 1 where one is not as it should be."""
    from linacre.cli.render import print_json
    from linacre.observing.status import facility_status

    async def look() -> FacilityStatus:
        return await facility_status(await session_of(where or file))

    if watch:
        _watch(look)
        return
    found = run(look())
    if as_json:
        print_json(found.told)
    else:
        _show_status(found)
    if not found.green:
        raise typer.Exit(1)


def _watch(look: Callable[[], Coroutine[None, None, FacilityStatus]]) -> None:
    from rich.console import Console

    console = Console()
    while True:
        found = run(look())
        console.clear()
        _show_status(found)
        time.sleep(2)


def _show_status(found: FacilityStatus) -> None:
    from linacre.cli.render import print_rows

    counts: list[str] = []
    for kind, section in found.kinds.declared:
        rows = found.of(kind)
        # IOCs are what a facility is for: that there are none is told too.
        if rows or not counts:
            what = f"{section.noun}s"
            counts.append(f"{sum(row.green for row in rows)} of {len(rows)} {what}")
    put(
        f"{found.facility}: {found.standing}, {found.engine} engine, "
        f"{' and '.join(counts)} as they should be"
    )
    for place, (kind, _) in enumerate(found.kinds.declared):
        if found.of(kind) or (place == 0 and len(counts) == 1):
            print_rows(kind.columns, found.of(kind))
    for kind, _ in found.kinds.declared:
        for row in found.of(kind):
            for remark in kind.remarks(row):
                put(remark)
    for name, near in found.near.items():
        put(f"{name} is near its ceiling: {listed(near)}")
    if found.undeclared:
        put(f"no longer declared: {listed(found.undeclared)}")
    if found.outdated:
        put(f"made from an older image: {listed(found.outdated)}")


@app.command()
def schema(
    of: Annotated[
        SchemaOf, typer.Argument(metavar="[FILE]", help="facility or lattice.")
    ] = SchemaOf.FACILITY,
) -> None:
    """Print the JSON Schema of the facility file, or of the lattice file, for editors."""
    from linacre.cli.schema import print_schema

    print_schema(of)
