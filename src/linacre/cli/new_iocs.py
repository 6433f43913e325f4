"""`linacre ioc create`, `clone`, `rename` and `delete`: which IOCs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.changing import agreed, carry_out, tell
from linacre.cli.context import FileOption, JsonOption, YesOption, put, say
from linacre.cli.ioc import NameArgument

if TYPE_CHECKING:
    from linacre.operations.changes.common import Written
    from linacre.operations.changes.delete import Deleted
    from linacre.operations.changes.rename import Renamed

_PVS_SHOWN = 10
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting; as often as there are some."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", help="Its address; without it, the next free one.", show_default=False
    ),
]
NoStartOption = Annotated[
    bool, typer.Option("--no-start", help="Write it down, and leave its start to linacre up.")
]
NewArgument = Annotated[str, typer.Argument(metavar="NEW", help="The new name.")]

app = typer.Typer()


def _settings(given: list[str] | None) -> dict[str, str]:
    from linacre.base.errors import UserError

    found: dict[str, str] = {}
    for each in given or ():
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise UserError(f"--set {each}: write KEY=VALUE, such as --set PREFIX=CLA-S02:")
        if key in found:
            raise UserError(f"--set {key} is given twice; leave one out")
        found[key] = value
    return found


@app.command()
def create(
    name: NameArgument,
    template: Annotated[
        str,
        typer.Option("--template", "-t", metavar="TEMPLATE", help="See linacre ioc templates."),
    ],
    settings: SetOption = None,
    address: AddressOption = None,
    network: Annotated[
        str | None,
        typer.Option("--network", help="Its network, where there are several.", show_default=False),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Who answers for it.", show_default=False)
    ] = None,
    area: Annotated[
        str | None,
        typer.Option("--area", help="The part of the machine it serves.", show_default=False),
    ] = None,
    description: Annotated[
        str | None,
        typer.Option("--description", help="What it does, in a line.", show_default=False),
    ] = None,
    no_start: NoStartOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an IOC from a template: its files, its entry in the facility file, its machine."""
    from linacre.operations.changes.create import NewIoc
    from linacre.operations.changes.create import create as make

    wanted = NewIoc(
        name=name,
        template=template,
        settings=_settings(settings),
        address=address,
        network=network,
        owner=owner,
        area=area,
        description=description,
        start=not no_start,
    )

    written = carry_out(lambda session, asking: make(session, wanted, asking), file, yes=True)
    tell(written, _say_written, as_json=as_json)


@app.command()
def clone(
    name: NameArgument,
    new: NewArgument,
    settings: SetOption = None,
    address: AddressOption = None,
    no_start: NoStartOption = False,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy an IOC under another name and address; --set gives it other environment variables."""
    from linacre.operations.changes.clone import NewClone
    from linacre.operations.changes.clone import clone as copy

    wanted = NewClone(
        source=name,
        name=new,
        settings=_settings(settings),
        address=address,
        start=not no_start,
    )

    written = carry_out(lambda session, asking: copy(session, wanted, asking), file, yes=yes)
    tell(agreed(written), _say_written, as_json=as_json)


@app.command()
def rename(
    name: NameArgument,
    new: NewArgument,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an IOC another name, also in what starts after it; its machine is restarted."""
    from linacre.operations.changes.rename import rename as give_name

    def words(renamed: Renamed) -> None:
        end = "and serves" if renamed.is_running else "and starts with linacre up"
        say(f"{renamed.was} is {renamed.ioc} now, at {renamed.address}, {end}")
        say(f"  declared at {renamed.declared}")

    renamed = carry_out(
        lambda session, asking: give_name(session, name, new, asking), file, yes=yes
    )
    tell(agreed(renamed), words, as_json=as_json)


@app.command()
def delete(
    name: NameArgument,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the folder with its own files too.")
    ] = False,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an IOC: its entry, its machine and its persistent folder; asks first."""
    from linacre.operations.changes.delete import delete as remove

    def words(deleted: Deleted) -> None:
        kept = deleted.files is not None and not deleted.files_removed
        say(f"{name} is deleted" + (f"; its own files stay in {deleted.files}" if kept else ""))

    deleted = carry_out(
        lambda session, asking: remove(session, name, purge=purge, interaction=asking),
        file,
        yes=yes,
    )
    tell(agreed(deleted), words, as_json=as_json)


def _say_written(written: Written) -> None:
    end = "runs" if written.is_running else "is written down, and starts with linacre up"
    say(f"{written.ioc} {end}: {written.endpoint} on {written.network}")
    say(f"  declared at {written.declared}")
    if written.files is not None:
        say(f"  its own files are in {written.files}")
    for pv in written.pvs[:_PVS_SHOWN]:
        put(pv)
    if (more := len(written.pvs) - _PVS_SHOWN) > 0:
        say(f"and {more} more PVs: linacre ioc show {written.ioc}")
