"""A copy of an IOC under another name: its entry with the comments, and its own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.entries import without_anchors
from linacre.declaration.editing.rewrite import Draft
from linacre.declaration.models import FolderSource
from linacre.kinds.reports import listed_pvs
from linacre.operations.changes.addresses import choose_address, read_address
from linacre.operations.changes.common import (
    Written,
    beside,
    changing_file,
    check_new_name,
    machines_there,
    own_folder,
    set_source,
    with_declaration,
)
from linacre.operations.changes.create import brought_up, write_with_files
from linacre.operations.changes.filling import copy_files
from linacre.operations.interaction import Interaction
from linacre.session.session import Session

_ENVIRONMENT = "environment"
_PREFIX = "PREFIX"


@dataclass(frozen=True, kw_only=True)
class NewClone:
    """What was asked for."""

    source: str
    name: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables of the IOC that are another's in the clone."""
    address: str | None = None
    start: bool = True


async def clone(session: Session, wanted: NewClone, interaction: Interaction) -> Written | None:
    """Copy an IOC under another name and address, and bring the clone up where the facility is.

    Its persistent folder begins empty. Where nothing of its environment differs it would serve
    the PVs of the other one, and is asked about; None where the person asked said no.
    """
    session.check_ioc(wanted.source)
    async with changing_file(session, f"ioc clone {wanted.source} {wanted.name}") as draft:
        session = with_declaration(session, draft.declaration)
        address, served = await _look(session, wanted)
        own = _own_settings(session, draft, wanted)
        text = _with_clone(session, draft, wanted, address=address, settings=own)
        if not own and not _may_serve_twice(wanted, served, interaction):
            return None
        declaration = write_with_files(
            draft, text, wanted.name, make=lambda: _files(session, text, wanted)
        )
    return await brought_up(
        with_declaration(session, declaration),
        wanted.name,
        verb="ioc clone",
        start=wanted.start,
        interaction=interaction,
    )


async def _look(session: Session, wanted: NewClone) -> tuple[str, int | None]:
    """Return the address for the clone, and how many PVs the other one serves, if that is known."""
    given = read_address(wanted.address)
    network = session.declaration.facility.network_of(wanted.source)
    if not await session.is_up():
        check_new_name(session, wanted.name, {})
        return str(choose_address(session, network, given, {})), None
    async with machines_there(session) as machines:
        check_new_name(session, wanted.name, machines)
        live = (await session.pair(wanted.source)).live
        ioc = session.declaration.facility.iocs[wanted.source]
        pvs = await listed_pvs(session.engine, live, ioc.address)
        address = choose_address(session, network, given, machines)
    return str(address), None if pvs is None else len(pvs)


def _own_settings(session: Session, draft: Draft, wanted: NewClone) -> dict[str, str]:
    """Return the environment variables that are to be another's in the clone.

    A PREFIX that came from the name of the other one comes from the clone's.
    """
    name, settings = wanted.source, dict(wanted.settings)
    for key in settings:
        if draft.text.value_of(name, _ENVIRONMENT, key) is None:
            there = session.declaration.facility.iocs[name].environment
            own = [k for k in there if draft.text.value_of(name, _ENVIRONMENT, k) is not None]
            raise UserError(
                f"{name} has no environment variable {key} of its own that --set could change; "
                f"it has: {', '.join(own) or 'none'}"
            )
    prefix = draft.text.value_of(name, _ENVIRONMENT, _PREFIX)
    if prefix == f"{name.upper()}:":
        settings.setdefault(_PREFIX, f"{wanted.name.upper()}:")
    same = {k: draft.text.value_of(name, _ENVIRONMENT, k) for k in settings}
    return {key: value for key, value in settings.items() if value != same[key]}


def _with_clone(
    session: Session,
    draft: Draft,
    wanted: NewClone,
    *,
    address: str,
    settings: Mapping[str, str],
) -> FacilityText:
    entry = without_anchors(draft.text.entry_of(wanted.source))
    text = draft.text.add(wanted.name, entry)
    text = text.set_value(wanted.name, ["address"], address)
    for key, value in settings.items():
        text = text.set_value(wanted.name, [_ENVIRONMENT, key], value)
    source = session.declaration.facility.iocs[wanted.source].source
    if isinstance(source, FolderSource):
        text = set_source(text, wanted.name, beside(source.folder, wanted.name))
    return text


def _may_serve_twice(wanted: NewClone, served: int | None, interaction: Interaction) -> bool:
    what = "the PVs" if served is None else f"the {served} PVs"
    warning = (
        f"{wanted.name} would serve {what} of {wanted.source} beside it, as far as their names "
        "do not come from the name of the IOC"
    )
    if not wanted.start:
        interaction.say(f"{warning}: change its prefix before it starts")
        return True
    return interaction.confirm(
        f"{warning} (--set changes an environment variable). Start it all the same?"
    )


def _files(session: Session, text: FacilityText, wanted: NewClone) -> Path | None:
    folder = own_folder(session, session.declaration.facility.iocs[wanted.source])
    if folder is None:
        return None
    keys = ("source", "folder")
    new = text.value_of(wanted.name, *keys) or text.value_of(wanted.name, *keys[:1])
    assert new is not None
    target = session.declaration.folder / new
    return target if copy_files(folder, target) else None
