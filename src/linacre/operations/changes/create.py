"""A new IOC from a template: its files, its entry in the facility file, and its machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.rewrite import Draft
from linacre.declaration.ioc_templates import Template, get_template
from linacre.declaration.load import Declaration, LoadError
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.addresses import choose_address, choose_network, read_address
from linacre.operations.changes.common import (
    Written,
    changing_file,
    check_new_name,
    in_terms_of,
    machines_there,
    own_folder,
    quiet,
    started,
    with_declaration,
)
from linacre.operations.changes.filling import fill_files, filled_entry
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.session import Session

_SETTINGS = ("network", "owner", "area", "description")


@dataclass(frozen=True, kw_only=True)
class NewIoc:
    """What was asked for."""

    name: str
    template: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    address: str | None = None
    """Without it, the next free one."""
    network: str | None = None
    owner: str | None = None
    area: str | None = None
    description: str | None = None
    start: bool = True


async def create(session: Session, wanted: NewIoc, interaction: Interaction) -> Written:
    """Make an IOC from a template, and bring it up in a facility that is up.

    Everything is checked before anything is written: files first, then the facility file.
    Raises `UserError` for what was asked wrongly; `LinacreError` where the IOC does not come up,
    which stays declared then.
    """
    template = get_template(wanted.template, session.declaration.folder)
    async with AsyncExitStack() as held:
        if wanted.start and await session.is_up():
            session.catalogue_soon()
            await held.enter_async_context(session.engine_open())
        return await _create(session, template, wanted, interaction)


async def _create(
    session: Session, template: Template, wanted: NewIoc, interaction: Interaction
) -> Written:
    async with changing_file(session, f"ioc create {wanted.name}") as draft:
        session = with_declaration(session, draft.declaration)
        address, network = await _place(session, wanted)
        values = template.values(wanted.settings, _built_in(session, wanted.name, address))
        entry = _entry(draft, template, values, wanted, network)
        text = draft.text.add(wanted.name, entry)
        declaration = write_with_files(
            draft,
            text,
            wanted.name,
            make=lambda: _files(session, template, values, entry),
        )
    return await brought_up(
        with_declaration(session, declaration),
        wanted.name,
        verb="ioc create",
        start=wanted.start,
        interaction=interaction,
    )


async def _place(session: Session, wanted: NewIoc) -> tuple[IPv4Address, str]:
    given = read_address(wanted.address)
    network = choose_network(session.declaration.facility, wanted.network, given)
    if not await session.is_up():
        check_new_name(session, wanted.name, {})
        return choose_address(session, network, given, {}), network
    async with machines_there(session) as machines:
        check_new_name(session, wanted.name, machines)
        return choose_address(session, network, given, machines), network


def _built_in(session: Session, name: str, address: IPv4Address) -> dict[str, str]:
    return {
        "NAME": name,
        "NAME_UPPER": name.upper(),
        "ADDRESS": str(address),
        "FACILITY": session.name,
    }


def _entry(
    draft: Draft, template: Template, values: Mapping[str, str], wanted: NewIoc, network: str
) -> str:
    """Return the entry of the IOC, what was asked for beside the template's settings in it."""
    facility = draft.declaration.facility
    filled = filled_entry(template, values, step=draft.text.indent_step())
    # In a text of its own: quicker than in the whole file.
    alone = FacilityText("iocs:\n", template.folder).add(wanted.name, filled)
    asked = {key: getattr(wanted, key) for key in _SETTINGS}
    if len(facility.networks) > 1 and facility.defaults.ioc.network != network:
        asked["network"] = network
    for key, value in reversed([*asked.items(), ("address", values["ADDRESS"])]):
        if value is not None and (key != "address" or alone.value_of(wanted.name, key) is None):
            alone = alone.set_value(wanted.name, [key], value)
    return alone.entry_of(wanted.name)


def _files(
    session: Session, template: Template, values: Mapping[str, str], entry: str
) -> Path | None:
    """Write the files of the template where the entry says; return the folder if it is new."""
    if template.files is None:
        return None
    source = FacilityText(f"iocs:\n{_indented(entry)}").value_of(values["NAME"], "source")
    if source is None:
        raise UserError(
            f"{template.folder}: it has files, and its entry no folder for them; "
            "write source: iocs/@NAME@"
        )
    target = session.declaration.folder / source
    return target if fill_files(template, values, target) else None


def _indented(entry: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in entry.splitlines())


def write_with_files(
    draft: Draft, text: FacilityText, name: str, *, make: Callable[[], Path | None]
) -> Declaration:
    """Make an IOC's files and write the file that declares it; all of it or nothing.

    `make` returns the folder that it made, if it made one.
    """
    made: Path | None = None
    try:
        made = make()
        return draft.write(text)
    except BaseException as error:
        if made is not None:
            shutil.rmtree(made)
        if isinstance(error, LoadError):
            raise in_terms_of(name, error) from error
        if isinstance(error, OSError):
            where = error.filename or draft.declaration.folder
            raise LinacreError(f"{where} cannot be written: {error.strerror}") from error
        raise


async def brought_up(
    session: Session, name: str, *, verb: str, start: bool, interaction: Interaction
) -> Written:
    """Bring up a new IOC, and it alone, where it is wanted and the facility is up."""
    declared = session.declaration.where("iocs", name)
    ioc = session.declaration.facility.iocs[name]
    is_running, pvs = start and await session.is_up(), tuple[str, ...]()
    if is_running:
        try:
            await bring_up(
                session, UpOptions(only=frozenset({name})), quiet(interaction), verb=verb
            )
            pvs = await started(session, name)
        except LinacreError as error:
            raise LinacreError(
                f"{error}; {name} stays declared at {declared}: mend it and run linacre up, or "
                f"undo this with linacre ioc delete {name}"
            ) from error
    folder = own_folder(session, ioc)
    return Written(
        ioc=name,
        address=str(ioc.address),
        network=session.declaration.facility.network_of(name),
        endpoint=str(session.engine.layout(name, ioc.address).bind or ioc.address),
        declared=declared,
        files=None if folder is None else str(folder),
        is_running=is_running,
        pvs=pvs,
    )
