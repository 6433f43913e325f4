"""`linacre up`, `plan`, `down` and `status`: the facility as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    confirm,
    listener_of,
    progress_interaction,
    run,
    say,
    session_of,
)

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


def add_to(app: typer.Typer) -> None:
    """Put the commands into the command line."""
    app.command("up")(up)
    app.command("plan")(plan)
    app.command("down")(down)
    app.command("status")(status)
    app.command("schema")(schema)


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

    begun = time.monotonic()
    ahead = await bring_up(session, options, interaction)
    if ahead is None:
        say("nothing was changed")
        return False
    took = time.monotonic() - begun
    done = "nothing to change" if ahead.plan.is_empty else f"up in {took:.1f} s"
    what = _counted(session, left_out=ahead.declared.left_out)
    say(f"{session.name}: {what}, {done} ({session.engine.name} engine)")
    return True


def _counted(session: Session, *, left_out: Collection[str]) -> str:
    iocs = len(session.declaration.facility.iocs)
    services = len(session.declaration.facility.services) - len(left_out)
    archivers = len(session.declaration.facility.archivers)
    counts = ((iocs, "IOC"), (services, "service"), (archivers, "archiver"))
    said = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n or word == "IOC"]
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
            typer.echo(note)
        for step in ahead.plan.steps:
            typer.echo(f"  {step.title}")
        if ahead.plan.restarts:
            typer.echo(f"restarts: {', '.join(ahead.plan.restarts)}")
        if ahead.plan.is_empty:
            typer.echo("nothing to change")

    run(work())


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
        print_json(found)
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
    from rich.text import Text

    from linacre.cli.render import duration, print_table

    columns = ["IOC", "HOST", "ADDRESS", "MACHINE", "PROCSERV", "IOC", "UPTIME", "PVS", "FILES"]
    rows = [
        [
            Text(each.name, style="green" if each.green else "bold red"),
            each.host,
            each.endpoint,
            each.machine,
            each.procserv,
            each.ioc if each.cable in (None, each.network) else f"{each.ioc}, {each.cable}",
            "-" if each.uptime_s is None else duration(each.uptime_s),
            "-" if each.pvs is None else str(each.pvs),
            each.files,
        ]
        for each in found.iocs
    ]
    green = sum(each.green for each in found.iocs)
    typer.echo(f"{found.facility}: {found.standing}, {found.engine} engine, {green} of ", nl=False)
    others = {"services": found.services, "archivers": found.archivers}
    also = "".join(
        f" and {sum(each.green for each in those)} of {len(those)} {what}"
        for what, those in others.items()
        if those
    )
    typer.echo(f"{len(found.iocs)} IOCs{also} as they should be")
    if rows or not also:
        print_table(columns, rows)
    if found.services:
        _show_services(found)
    if found.archivers:
        _show_archivers(found)
    for each in found.iocs:
        if each.twin is not None:
            typer.echo(f"{each.name}: {each.live} is live, {each.twin} is its twin")
    if found.undeclared:
        typer.echo(f"no longer declared: {', '.join(found.undeclared)}")
    if found.outdated:
        typer.echo(f"made from an older image: {', '.join(found.outdated)}")


def _show_services(found: FacilityStatus) -> None:
    from rich.text import Text

    from linacre.cli.render import duration, print_table

    columns = ["SERVICE", "HOST", "ADDRESS", "MACHINE", "PROCSERV", "SERVICE", "UPTIME"]
    rows = [
        [
            Text(each.name, style="green" if each.green else "bold red"),
            each.host,
            each.address,
            each.machine,
            each.procserv,
            each.service if each.cable in (None, each.network) else f"{each.service}, {each.cable}",
            "-" if each.uptime_s is None else duration(each.uptime_s),
            " ".join(f"{p} closed" if p in each.closed else p for p in each.ports) or "-",
            each.files,
        ]
        for each in found.services
    ]
    print_table([*columns, "PORTS", "FILES"], rows)


def _show_archivers(found: FacilityStatus) -> None:
    from rich.text import Text

    from linacre.cli.render import duration, print_table

    columns = ["ARCHIVER", "HOST", "ADDRESS", "MACHINE", "PROCSERV", "ARCHIVER", "UPTIME"]
    rows = [
        [
            Text(each.name, style="green" if each.green else "bold red"),
            each.host,
            each.url.removeprefix("http://").rstrip("/"),
            each.machine,
            each.procserv,
            each.archiver
            if each.cable in (None, each.network)
            else f"{each.archiver}, {each.cable}",
            "-" if each.uptime_s is None else duration(each.uptime_s),
            "-" if each.until is None else f"{'ended ' if each.has_ended else ''}{each.until}",
            each.files,
        ]
        for each in found.archivers
    ]
    print_table([*columns, "END", "FILES"], rows)


def schema() -> None:
    """Print the JSON Schema of the facility file, for editors."""
    from linacre.cli.schema import print_schema

    print_schema()
