"""`linacre sandbox`: copies of the facility on networks of their own, with the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linacre.base.listing import counted, listed
from linacre.cli.changing import agreed, carry_out, tell
from linacre.cli.context import FileOption, JsonOption, YesOption, put, run, say, session_of

if TYPE_CHECKING:
    from linacre.operations.interaction import Interaction
    from linacre.operations.sandboxes.create import MadeSandbox
    from linacre.operations.sandboxes.delete import DeletedSandboxes
    from linacre.operations.sandboxes.differences import SandboxDifferences
    from linacre.session.session import Session

app = typer.Typer()
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The sandbox.")]
_LASTING = "7d"


def _ahead_s(text: str) -> float | None:
    from linacre.base.errors import UserError
    from linacre.declaration.models.archiver_values import age_s

    if text == "none":
        return None
    try:
        return age_s(text)
    except ValueError as error:
        raise UserError(f"--for: {error}; or none") from None


def _time_s(text: str | None) -> float | None:
    import time

    from linacre.archiver.time_texts import text_ns
    from linacre.base.errors import UserError

    if text is None:
        return None
    now_s = time.time()
    at_ns = text_ns(text, int(now_s * 1e9))
    if at_ns is None or at_ns / 1e9 > now_s:
        raise UserError(
            f"--at: {text} is not a time that was; write one like 2026-11-28T14:00:00Z or -2h"
        )
    return at_ns / 1e9


@app.command()
def create(
    name: NameArgument,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FACILITY",
            help="The facility, where this host knows several.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="AREA|IOC",
            help="An area or an IOC; as often as there are some. Without it, all.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Its files and set points as they were: 2026-11-28T14:00:00Z, or -2h.",
            show_default=False,
        ),
    ] = None,
    lasting: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long it is meant for: 12h, 7d, none.")
    ] = _LASTING,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Whose it is; without it, yours.")
    ] = None,
    archivers: Annotated[
        bool, typer.Option("--archivers", help="With the facility's archivers, without their data.")
    ] = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a copy of the facility that nothing leaves: the same names, the same addresses."""
    from linacre.operations.sandboxes.create import NewSandbox
    from linacre.operations.sandboxes.create import create as make

    wanted = NewSandbox(
        name=name,
        owner=owner,
        lasting_s=_ahead_s(lasting),
        only=tuple(only or ()),
        state_at=_time_s(at),
        with_archivers=archivers,
    )

    def words(made: MadeSandbox) -> None:
        from linacre.cli.render import fact

        until = "" if made.expires_at is None else f", until {fact('expires_at', made.expires_at)}"
        say(f"{name}: {counted(len(made.iocs), 'IOC')} of {made.facility}{until}; try")
        say(f"  linacre exec --sandbox {name} -- caget PV")
        say(f"  eval $(linacre env --sandbox {name})")
        say(f"its facility file, for all other commands: -f {made.folder}")
        for each, what in made.left_out.items():
            say(f"{each}: without its {listed(what)}")

    made = carry_out(
        lambda session, asking: make(session, wanted, asking), _origin(origin, file), yes=True
    )
    tell(agreed(made), words, as_json=as_json)


def _origin(named: str | None, file: FileOption) -> FileOption:
    """Return the file of the facility that is named."""
    from linacre.base.errors import UserError
    from linacre.base.paths import StatePaths
    from linacre.session.state import known_facilities

    if named is None:
        return file
    known = {note.facility: note.file for note in known_facilities(StatePaths.from_environment())}
    if file is not None or named not in known:
        there = ", ".join(known) or "none"
        raise UserError(f"--from names a facility of this host ({there}), and no -f beside it")
    return known[named]


@app.command("list")
def list_sandboxes(file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the sandboxes of the facility, and until when they are meant."""
    from linacre.cli.render import fact, print_json, print_table
    from linacre.observing.sandboxes import list_sandboxes as look

    async def work() -> None:
        rows = await look(await session_of(file))
        if as_json:
            print_json(rows)
            return
        print_table(
            ["NAME", "STATE", "OWNER", "IOCS", "MADE", "UNTIL"],
            [
                [
                    row.name,
                    str(row.stage),
                    row.owner,
                    str(len(row.iocs)),
                    fact("made_at", row.made_at),
                    f"{fact('expires_at', row.expires_at)}{', expired' if row.is_expired else ''}",
                ]
                for row in rows
            ],
        )

    run(work())


@app.command()
def show(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a sandbox."""
    from dataclasses import asdict

    from linacre.cli.render import print_facts, print_json
    from linacre.observing.sandboxes import show_sandbox

    async def work() -> None:
        row = await show_sandbox(await session_of(file), name)
        if as_json:
            print_json(row)
        else:
            print_facts(asdict(row))

    run(work())


@app.command()
def shell(name: NameArgument, file: FileOption = None) -> None:
    """Open a shell at the desk of a sandbox."""
    from linacre.cli.desk import at_desk

    raise typer.Exit(at_desk(file, None, sandbox=name))


@app.command()
def diff(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show what was changed in a sandbox: files and set points; exit status 1 if anything."""
    from linacre.cli.render import fact, print_json, print_table
    from linacre.operations.sandboxes.differences import differences

    async def work() -> SandboxDifferences:
        return await differences(await session_of(file), await session_of(file, sandbox=name))

    found = run(work())
    if as_json:
        print_json(found)
    else:
        for ioc, files in found.files.items():
            for each in files:
                put(f"{ioc}: {each.change}: {each.path}")
                put(each.text, nl=False)
        if found.set_points:
            print_table(
                ["SET POINT", "FACILITY", "SANDBOX"],
                [
                    [each.name, fact("", each.facility), fact("", each.sandbox)]
                    for each in found.set_points
                ],
            )
    if not found.is_empty:
        raise typer.Exit(1)
    if not as_json:
        say(f"{name} is as its facility is")


@app.command()
def take(
    name: NameArgument,
    ioc: Annotated[str, typer.Argument(metavar="IOC", help="The IOC.")],
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a twin in the facility of an IOC as it is in a sandbox, to be swapped in there."""
    from linacre.operations.sandboxes.take import Taken
    from linacre.operations.sandboxes.take import take as bring

    async def change(session: Session, asking: Interaction) -> Taken | None:
        return await bring(session, await session_of(file, sandbox=name), ioc, asking)

    def words(taken: Taken) -> None:
        say(f"{taken.twin.machine} runs on {taken.twin.network}, with the files of {name}; there:")
        say(f"  linacre exec --network {taken.twin.network} -- caget PV")
        say(f"then exchange the two: linacre ioc swap {ioc}")
        say(f"its files, for the facility's own folder: {taken.folder}")

    tell(agreed(carry_out(change, file, yes=yes)), words, as_json=as_json)


@app.command()
def delete(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="The sandboxes.")
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Those whose time is over, and no other.")
    ] = False,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove sandboxes for good, with all that was changed in them."""
    from linacre.base.errors import UserError
    from linacre.operations.sandboxes.delete import delete as remove
    from linacre.operations.sandboxes.delete import delete_expired

    if expired and names:
        raise UserError("write sandboxes or --expired, not both")

    async def change(session: Session, asking: Interaction) -> DeletedSandboxes | None:
        if expired:
            return await delete_expired(session, asking)
        return await remove(session, tuple(names or ()), asking)

    def words(done: DeletedSandboxes) -> None:
        put(f"removed: {listed(done.removed)}" if done.removed else "nothing to remove")

    tell(agreed(carry_out(change, file, yes=yes)), words, as_json=as_json)
