"""`linacre archiver`: an archive of some PVs, made on demand, in a machine of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.base.listing import counted
from linacre.cli import programs
from linacre.cli.changing import agreed, carry_out, tell
from linacre.cli.context import FileOption, JsonOption, YesOption, put, run, say, session_of

if TYPE_CHECKING:
    from typing import Any

    from linacre.operations.archivers import ArchiverInfo
    from linacre.operations.changes.delete_archiver import DeletedArchiver
    from linacre.operations.changes.new_archiver import WrittenArchiver

app = typer.Typer()
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The archiver.")]
_PVS_SHOWN = 40


def option(name: str, help: str, metavar: str | None = None) -> typer.models.OptionInfo:
    """Return an option whose default is not shown."""
    return typer.Option(name, help=help, show_default=False, metavar=metavar)


@app.command()
def create(
    name: NameArgument,
    pvs: Annotated[
        list[str] | None,
        option("--pvs", "A PV or a pattern in quotes; as often as there are some.", "PV"),
    ] = None,
    pvs_file: Annotated[Path | None, option("--pvs-file", "A file with a PV a line.")] = None,
    lasting: Annotated[str | None, option("--for", "How long, from now: 12h, 7d.", "TIME")] = None,
    until: Annotated[
        str | None, option("--until", "Until when: 2026-12-24T08:00:00Z.", "TIME")
    ] = None,
    memory: Annotated[str | None, option("--memory", "Ceiling: 512MiB.", "SIZE")] = None,
    cpu: Annotated[str | None, option("--cpu", "Ceiling, in cores: 1.", "CORES")] = None,
    disk: Annotated[str | None, option("--disk", "Size of its data: 20GiB.", "SIZE")] = None,
    max_age: Annotated[
        str | None, option("--max-age", "Remove what is older: 90d.", "TIME")
    ] = None,
    protocol: Annotated[str | None, option("--protocol", "ca or pva.")] = None,
    address: Annotated[
        str | None, option("--address", "Its address; without it, the next free one.")
    ] = None,
    network: Annotated[
        str | None, option("--network", "Its network, where there are several.")
    ] = None,
    owner: Annotated[str | None, option("--owner", "Whose study it is.")] = None,
    area: Annotated[str | None, option("--area", "The part of the machine it is of.")] = None,
    description: Annotated[
        str | None, option("--description", "What it is for, in a line.")
    ] = None,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Write it down, and leave its start to linacre up.")
    ] = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an archiver of some PVs: its entry in the facility file, its machine, its archive."""
    from linacre.operations.changes.new_archiver import NewArchiver, create_archiver

    wanted = NewArchiver(
        name=name,
        pvs=tuple(pvs or ()),
        pvs_file=pvs_file,
        address=address,
        network=network,
        owner=owner,
        area=area,
        description=description,
        protocol=protocol,
        memory=memory,
        cpu=cpu,
        disk=disk,
        max_age=max_age,
        lasting=lasting,
        until=until,
        start=not no_start,
    )

    def words(written: WrittenArchiver) -> None:
        end = "archives" if written.is_running else "is written down, and starts with linacre up:"
        until_text = f" until {written.until}" if written.until else ""
        say(f"{name} {end} {counted(written.pvs, 'PV')}{until_text}")
        say(f"  declared at {written.declared}")
        if written.had_data:
            say("  it goes on with the data that an earlier one of its name kept")
        put(written.url)

    written = carry_out(
        lambda session, asking: create_archiver(session, wanted, asking), file, yes=True
    )
    tell(written, words, as_json=as_json)


@app.command("list")
def list_archivers(file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the archivers, with what those that run say of themselves."""
    from linacre.cli.render import print_json, print_table
    from linacre.operations.archivers import list_archivers as look

    async def work() -> tuple[list[ArchiverInfo], list[str]]:
        return await look(await session_of(file))

    found, kept = run(work())
    if as_json:
        print_json([_plain(each) for each in found])
        return
    columns = ["NAME", "URL", "STATE", "PVS", "CONNECTED", "RATE", "DISK", "END", "OWNER"]
    print_table(columns, [_row(each) for each in found])
    if kept:
        say(f"deleted, data kept: {', '.join(kept)}")


def _plain(found: ArchiverInfo) -> dict[str, Any]:
    from dataclasses import asdict

    whole = asdict(found)
    return {**whole["status"], "told": whole["told"]}


def _row(found: ArchiverInfo) -> list[str]:
    from linacre.base.sizes import readable

    row, told = found.status, found.told
    disk = readable(row.disk_bytes)
    state = row.archiver if row.machine == "running" else row.machine
    if told is None:
        figures = ["-", "-", "-", disk]
    else:
        state = "ended" if told.has_ended else "disk full" if told.disk_full else state
        if told.damaged:
            state += f", {counted(told.damaged, 'block')} damaged"
        if told.misdated:
            state += f", {counted(told.misdated, 'PV')} misdated"
        rate = f"{told.rate_hz:.1f}/s"
        used = f"{readable(told.bytes)} of {disk}"
        figures = [str(told.pvs), str(told.connected), rate, used]
    end = row.until if told is None else told.ends
    return [row.name, row.url, state, *figures, end or "-", row.owner or "-"]


@app.command()
def show(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show an archiver: where it is declared, how it does, and its PVs."""
    from dataclasses import asdict

    from linacre.cli.render import print_facts, print_json, print_table
    from linacre.operations.archivers import show_archiver
    from linacre.operations.services import declared_archiver

    async def work() -> tuple[ArchiverInfo, str]:
        session = await session_of(file)
        declared_archiver(session, name)
        return await show_archiver(session, name), session.declaration.where("archivers", name)

    found, declared = run(work())
    whole: dict[str, Any] = _plain(found) | {"declared": declared}
    if as_json:
        print_json(whole | {"channels": [asdict(each) for each in found.pvs]})
        return
    told: dict[str, Any] = whole.pop("told") or {}
    archives = {"archives": whole.pop("pvs"), "ends": whole.pop("until")}
    print_facts(whole | archives | told)
    if found.pvs:
        put("")
        columns = ["PV", "STATE", "RATE", "SAMPLES", "DROPPED", "NEWEST", "WHY"]
        rows = [
            [
                *(each.pv, each.state, f"{each.rate_hz:.2g}/s", str(each.samples)),
                *(str(each.dropped), each.last or "-", each.why),
            ]
            for each in found.pvs[:_PVS_SHOWN]
        ]
        print_table(columns, rows)
    if (more := len(found.pvs) - _PVS_SHOWN) > 0:
        say(f"and {more} more PVs: --json has them all")


@app.command("open")
def open_page(name: NameArgument, file: FileOption = None) -> None:
    """Print where an archiver's page is; where there is a display, a browser shows it."""
    import os
    import sys

    from linacre.kinds.archiver.kind import archiver_url
    from linacre.operations.services import declared_archiver

    async def work() -> str:
        session = await session_of(file)
        return archiver_url(session, name, declared_archiver(session, name))

    url = run(work())
    put(url)
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        import webbrowser

        webbrowser.open(url)


@app.command()
def delete(
    name: NameArgument,
    purge: Annotated[bool, typer.Option("--purge", help="Remove its data too, for good.")] = False,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an archiver: its entry and its machine; its data are kept without --purge."""
    from linacre.operations.changes.delete_archiver import delete_archiver

    def words(deleted: DeletedArchiver) -> None:
        say(f"{name} is deleted")
        if deleted.has_kept_data:
            say(f"  its data are kept; to have them back: linacre archiver create {name}")
            say(f"  to remove them for good: linacre archiver delete {name} --purge")

    deleted = carry_out(
        lambda session, asking: delete_archiver(session, name, purge=purge, interaction=asking),
        file,
        yes=yes,
    )
    tell(agreed(deleted), words, as_json=as_json)


@app.command()
def prepare(file: FileOption = None) -> None:
    """Have the image of archivers ready, so that create takes seconds."""
    from linacre.operations.changes.prepare import prepare_archivers

    needed = carry_out(prepare_archivers, file, yes=True)
    say("the image of archivers is ready" if needed else "this engine needs no image")


programs.add_to(app, "archiver")
