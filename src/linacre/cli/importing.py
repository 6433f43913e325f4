"""`linacre ioc import`: taking over an IOC as it stands on a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    confirm,
    put,
    run,
    say,
    session_of,
)

if TYPE_CHECKING:
    from linacre.operations.importing.take import Taking
    from linacre.session.session import Session

app = typer.Typer()


@app.command("import")
def import_ioc(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            # Else typer says it in words of its own.
            readable=False,
            help="The top of an application, one of its iocBoot folders, or a folder with st.cmd.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Its name here.", show_default=False),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="ADDRESS", help="Else the next free one.", show_default=False
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="NAME", help="Its network.", show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="FILE", help="The start script, if several.", show_default=False
        ),
    ] = None,
    unit: Annotated[
        Path | None,
        typer.Option(
            "--unit",
            metavar="FILE",
            help="The systemd unit that ran it.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    procserv: Annotated[
        Path | None,
        typer.Option(
            "--procserv",
            metavar="FILE",
            help="What else ran it: a script with procServ, manage-procs' .conf, a settings file.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    environment: Annotated[
        Path | None,
        typer.Option(
            "--environment",
            metavar="FILE",
            help="KEY=VALUE lines.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option("--in-place/--copy", help="Leave its files in DIR, or copy them (--copy)."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what was understood; write nothing.")
    ] = False,
    up: Annotated[bool, typer.Option("--up", help="Bring it up when it is written.")] = False,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over an IOC as it stands on a server; nothing of it is run, and DIR is not changed."""
    from linacre.base.errors import UserError

    if unit is not None and procserv is not None:
        raise UserError("--unit and --procserv say the same twice; give one of them")

    async def work() -> bool:
        from datetime import date

        from linacre.operations.importing.examine import examine
        from linacre.operations.importing.take import Wanted, plan_taking

        session = await session_of(file)
        understood = examine(
            folder,
            name=name,
            start=start,
            unit=unit,
            procserv=procserv,
            environment=environment,
            engine=session.engine.name,
        )
        wanted = Wanted(
            address=address,
            network=network,
            in_place=in_place,
            today=date.today(),
            only_shown=dry_run,
        )
        taking = await plan_taking(understood, session, wanted)
        _show(taking, as_json=as_json)
        if dry_run:
            return True
        if not yes and not confirm(_question(taking, session)):
            say("nothing was changed")
            return False
        await _take(taking, session)
        if up:
            return await _up(taking, file, yes=yes)
        say(f"next: linacre up -f {session.declaration.file}")
        return True

    if not run(work()):
        raise typer.Exit(1)


def _show(taking: Taking, *, as_json: bool) -> None:
    from linacre.cli.render import print_json
    from linacre.operations.importing.telling import data_of, lines_of

    if as_json:
        print_json(data_of(taking))
        return
    for line in lines_of(taking.understood):
        put(line)
    for line in taking.plan.left_out if taking.plan is not None else ():
        put(f"{'not copied':<16} {line}")
    put(f"\nthe entry in {taking.draft.declaration.file}:\n")
    for line in taking.entry.splitlines():
        put(f"  {line}".rstrip())
    put("")


def _question(taking: Taking, session: Session) -> str:
    what = f"Write this into {session.declaration.file}"
    if taking.plan is None:
        return f"{what}?"
    files = len(taking.plan.items)
    size = f"{taking.plan.size_bytes / (1 << 20):.1f} MiB"
    return f"Copy {files} files ({size}) to {taking.target}, and {what[0].lower()}{what[1:]}?"


async def _take(taking: Taking, session: Session) -> None:
    from linacre.operations.importing.take import take
    from linacre.session.lock import FacilityLock

    command = f"ioc import {taking.understood.name}"
    async with FacilityLock(session.paths, command=command, clock=session.clock):
        take(taking)
    where = f"its files are in {taking.target}" if taking.plan is not None else "its files stay"
    say(f"{taking.understood.name} is in {session.declaration.file}; {where}")


async def _up(taking: Taking, file: Path | None, *, yes: bool) -> bool:
    from linacre.cli.context import progress_interaction
    from linacre.cli.render import UpProgress
    from linacre.operations.bring_up import bring_up
    from linacre.operations.importing.promised import told_of_served
    from linacre.planning.preview import UpOptions

    name = taking.understood.name
    session = await session_of(file)
    with UpProgress() as progress:
        interaction = progress_interaction(progress, yes=yes)
        if await bring_up(session, UpOptions(only=frozenset({name})), interaction) is None:
            return False
    async with session.engine_up():
        told = await told_of_served(session, name, taking.understood.findings.records)
    if told is not None:
        say(f"{name}: {told}")
    return True
