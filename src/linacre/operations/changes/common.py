"""What all changes of which IOCs there are need: the file, its lock, and the machines there are."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from linacre.base.errors import UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.declaration.load import Declaration, LoadError
from linacre.declaration.models import FolderSource, Ioc
from linacre.declaration.models.values import Name
from linacre.engines.base import Machine
from linacre.kinds.registry import IOC, kinds_of
from linacre.kinds.reports import listed_pvs
from linacre.operations.interaction import Interaction
from linacre.session.lock import FacilityLock
from linacre.session.session import Session

SOURCES = "iocs"
"""The folder beside the facility file that holds one of each IOC's own files."""


@dataclass(frozen=True)
class Written:
    """A new IOC in the facility file."""

    ioc: str
    address: str
    network: str
    endpoint: str
    """The address that clients on this host reach it at."""
    declared: str
    """Where it stands, as FILE:LINE."""
    files: str | None
    """The folder with its own files; None where it has none of its own."""
    is_running: bool
    pvs: tuple[str, ...] = ()


@asynccontextmanager
async def changing_file(session: Session, command: str) -> AsyncGenerator[Draft]:
    """Keep other commands from changing the facility, and hold its file in order to change it."""
    async with FacilityLock(session.paths, command=command, clock=session.clock):
        yield draft(session.declaration)


@asynccontextmanager
async def machines_there(session: Session) -> AsyncGenerator[dict[str, Machine]]:
    """Hold the machines of a facility for the block, its engine open; none where it has none.

    A facility that is down is down again afterwards.
    """
    if not await session.engine.exists():
        yield {}
        return
    async with session.engine_open() as engine:
        try:
            yield await session.machines()
        finally:
            if not await session.is_up():
                await engine.shut_down()


def check_new_name(session: Session, name: str, machines: dict[str, Machine]) -> None:
    """Raise `UserError` for a name that a machine cannot have, or something has already."""
    try:
        TypeAdapter[str](Name).validate_python(name)
    except ValidationError as error:
        said = str(error.errors()[0].get("ctx", {}).get("error", error))
        raise UserError(said) from None
    declaration = session.declaration
    facility = declaration.facility
    for section in facility.sections:
        if name in facility.section(section):
            where = declaration.where(section.key, name)
            raise UserError(
                f"there is {section.one} {name} already, at {where}; choose another name"
            )
    if name in machines:
        # What has data of its own to be asked about has a command of its own for that.
        kind = kinds_of(session).of(machines[name])
        remedy = (kind if kind.keeps_data else IOC).command("delete", name)
        raise UserError(
            f"there is a machine {name} that is not declared; choose another name, or remove it "
            f"first: {remedy}"
        )


def in_terms_of(name: str, error: LoadError, *, section: str = "iocs") -> UserError:
    """Return what is wrong with an entry that is not in the file, without a line of the file."""
    place = re.compile(rf"^.*?:\d+: {section}\.{re.escape(name)}(\.|: )")
    return UserError("\n".join(place.sub(f"{name}: ", line) for line in error.lines))


def with_declaration(session: Session, declaration: Declaration) -> Session:
    """Return the session of the file as it is now."""
    return replace(session, declaration=declaration)


def own_folder(session: Session, ioc: Ioc) -> Path | None:
    """Return the folder of an IOC's own files, if these are in a folder."""
    if not isinstance(ioc.source, FolderSource):
        return None
    return session.declaration.folder / ioc.source.folder


def shares_folder(session: Session, name: str) -> list[str]:
    """Return the other IOCs that have their files from the folder of an IOC, or inside it."""
    iocs = session.declaration.facility.iocs
    folder = own_folder(session, iocs[name])
    if folder is None:
        return []
    others = {other: own_folder(session, ioc) for other, ioc in iocs.items() if other != name}
    return [
        other
        for other, its in others.items()
        if its is not None and its.resolve().is_relative_to(folder.resolve())
    ]


def beside(source: str, name: str) -> str:
    """Return the source for an IOC of another name: beside that folder, or where they all are."""
    path = PurePosixPath(source)
    inside = not path.is_absolute() and ".." not in path.parts and len(path.parts) > 1
    return str((path.parent if inside else PurePosixPath(SOURCES)) / name)


def set_source(text: FacilityText, name: str, source: str) -> FacilityText:
    """Return the text with another folder as the source of an IOC."""
    keys = ("source", "folder")
    nested = text.value_of(name, *keys) is not None
    return text.set_value(name, keys if nested else keys[:1], source)


async def started(session: Session, name: str) -> tuple[str, ...]:
    """Return the PVs of an IOC that runs."""
    async with session.engine_up() as engine:
        address = session.declaration.facility.iocs[name].address
        found = await listed_pvs(engine, (await session.pair(name)).live, address)
    return tuple(pv.name for pv in found or ())


def quiet(interaction: Interaction) -> Interaction:
    """Return the talk of a command that brings up one IOC: what up says of others is not for it."""
    return replace(interaction, say=_unsaid)


def _unsaid(_: str) -> None:
    """Say nothing."""
