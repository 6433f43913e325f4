"""Making a sandbox: its folder first, with all that it needs of the facility; then its machines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import PurePosixPath

from pydantic import TypeAdapter, ValidationError

from linacre.base.errors import LinacreError, UserError
from linacre.base.listing import listed
from linacre.base.paths import FacilityPaths
from linacre.base.tasks import user_name
from linacre.catalogue.model import State
from linacre.declaration.load import load
from linacre.declaration.models import ARCHIVERS, IOCS, Facility
from linacre.declaration.models.values import Name
from linacre.engines.base import Capability, Engine, MachineState, require
from linacre.kinds.ioc.file_tree import TreeFile, tree_inside
from linacre.kinds.registry import kinds_of
from linacre.operations.bring_up import bring_up
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.rollback import NOT_BROUGHT_UP
from linacre.operations.interaction import Interaction
from linacre.operations.sandboxes.copying import copies_of, lay_anew
from linacre.operations.sandboxes.declaring import Chosen, chosen, sandbox_text, used_networks
from linacre.operations.sandboxes.subnets import free_subnets
from linacre.operations.sandboxes.values import SetPoints, set_in, set_points_of
from linacre.planning.preview import UpOptions
from linacre.session.lock import FacilityLock
from linacre.session.sandboxes import declared_folder, sandbox_name
from linacre.session.session import Session, open_session
from linacre.session.state import (
    FacilityNote,
    SandboxNote,
    Standing,
    known_sandboxes,
    read_note,
    write_note,
)

_LONGEST = 24
"""Letters of a name: it is a part of paths of sockets, which have 107 (sockaddr_un(7))."""


@dataclass(frozen=True, kw_only=True)
class NewSandbox:
    """What was asked for."""

    name: str
    owner: str | None = None
    lasting_s: float | None = None
    only: tuple[str, ...] = ()
    state_at: float | None = None
    """Seconds since the Unix epoch; None is now."""
    with_archivers: bool = False


@dataclass(frozen=True)
class MadeSandbox:
    """A sandbox that is up."""

    name: str
    facility: str
    owner: str
    expires_at: float | None
    folder: str
    """With its own facility file, and the files of its IOCs."""
    iocs: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    """What entries of the facility have and those of the sandbox do not: devices, say."""


async def create(
    session: Session, wanted: NewSandbox, interaction: Interaction
) -> MadeSandbox | None:
    """Make a sandbox of a facility that is up, and bring it up.

    One whose making was cut short is begun anew. Returns None where the person asked said no.
    Raises `UserError` for a name that is taken or cannot be one, `UnsupportedError` for an engine
    that cannot move cables.
    """
    require(
        session.engine,
        Capability.CABLES,
        instead="a sandbox needs bridges of this host: use the incus engine here",
    )
    if session.note is not None and session.note.sandbox is not None:
        raise UserError(f"{session.name} is a sandbox itself: -f its facility's file")
    _check_name(wanted.name)
    name = sandbox_name(session.name, wanted.name)
    paths = session.state.facility(name)
    async with FacilityLock(paths, command=f"sandbox create {wanted.name}", clock=session.clock):
        _check_free(paths, wanted.name, interaction)
        note, left_out, values = await _prepare(session, wanted, paths)
    sandbox = await open_session(
        note.file,
        state=session.state,
        folder=note.file.parent,
        clock=session.clock,
        journal_hook=session.journal_hook,
        say=session.say,
        kinds=kinds_of(session),
    )
    if await bring_up(sandbox, UpOptions(prune=True), interaction, verb="sandbox create") is None:
        return None
    # As it is noted to stand now.
    sandbox = replace(sandbox, note=read_note(paths))
    await set_in(sandbox, values)
    return _finished(sandbox, left_out)


def _check_name(name: str) -> None:
    try:
        TypeAdapter[str](Name).validate_python(name)
    except ValidationError as error:
        raise UserError(str(error.errors()[0].get("ctx", {}).get("error", error))) from None
    if len(name) > _LONGEST:
        raise UserError(f"{name} is too long for a sandbox: at most {_LONGEST} characters")


def _check_free(paths: FacilityPaths, name: str, interaction: Interaction) -> None:
    note = read_note(paths)
    if note is None:
        return
    if note.sandbox is not None and note.sandbox.is_whole:
        raise UserError(
            f"there is a sandbox {name} already; choose another name, or remove it first: "
            f"linacre sandbox delete {name}"
        )
    interaction.say(f"the making of {name} was cut short: it is begun anew")


async def _prepare(
    session: Session, wanted: NewSandbox, paths: FacilityPaths
) -> tuple[FacilityNote, dict[str, tuple[str, ...]], SetPoints]:
    """Write the folder of a sandbox, and the note by which it is known; no machine is made yet."""
    facility = session.declaration.facility
    parts = chosen(facility, wanted.only, without=() if wanted.with_archivers else (ARCHIVERS.key,))
    states = await _states(session, parts, wanted)
    async with session.engine_up() as engine:
        networks = used_networks(facility, parts)
        subnets = await _subnets(session, [each.subnet for each in networks.values()], paths)
        values = await set_points_of(session, engine, states.keys(), at=wanted.state_at)
        written = {} if wanted.state_at else await _written(session, engine, facility, states)
    access = dict(zip(networks, subnets, strict=True))
    folder = declared_folder(paths)
    note = _note(session, wanted, paths, access)
    # Before anything is made that would have to be found again.
    write_note(paths, note)
    copies = await asyncio.to_thread(
        copies_of, session.declaration, KeptFiles(session.paths.files), parts, states, written
    )
    entries = {
        key: {each: copy.entry for each, copy in section.items()} for key, section in copies.items()
    }
    text = sandbox_text(facility, name=paths.root.name, access=access, entries=entries)
    files = {
        path: file
        for section in copies.values()
        for copy in section.values()
        for path, file in copy.files.items()
    }
    files[note.file.name] = TreeFile(0o600, text.encode())
    await asyncio.to_thread(lay_anew, folder, files)
    load(note.file, sections=facility.sections)
    left_out = {
        each: copy.without
        for section in copies.values()
        for each, copy in section.items()
        if copy.without
    }
    return note, left_out, values


async def _states(session: Session, parts: Chosen, wanted: NewSandbox) -> dict[str, State]:
    """Return of each IOC the state that it has, or had at the time asked for."""
    found: dict[str, State] = {}
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        for name in sorted(parts.names[IOCS.key]):
            then = [
                each
                for each in await inventory.states(name)
                if each.verb != NOT_BROUGHT_UP
                and (wanted.state_at is None or each.at <= wanted.state_at)
            ]
            if then:
                found[name] = then[-1]
    lacking = sorted(parts.names[IOCS.key] - found.keys())
    if wanted.state_at is None and lacking:
        raise LinacreError(f"{listed(lacking)} never came up here: linacre up")
    if not found:
        raise UserError(f"nothing is known of {session.name} at that time: its history is younger")
    if lacking:
        session.say(f"not known at that time, left out: {listed(lacking)}")
    return found


async def _subnets(
    session: Session, wanted: list[IPv4Network], paths: FacilityPaths
) -> list[IPv4Network]:
    taken = await session.engine.wiring.host_subnets()
    taken += [each.subnet for each in session.declaration.facility.networks.values()]
    for note in known_sandboxes(session.state):
        if note.sandbox is not None and note.facility != paths.root.name:
            taken += map(IPv4Network, note.sandbox.access)
    return free_subnets(wanted, taken=taken, name=str(paths.root))


async def _written(
    session: Session, engine: Engine, facility: Facility, iocs: Mapping[str, State]
) -> dict[str, dict[str, TreeFile]]:
    """Return what running IOCs have written to their persistent folders: their set points, say."""
    kept = {name: facility.iocs[name] for name in iocs if facility.iocs[name].persistent}

    async def read(name: str) -> dict[str, TreeFile]:
        live = (await session.pair(name)).live
        machine = (await session.machines((live,))).get(live)
        if machine is None or machine.state is not MachineState.RUNNING:
            return {}
        layout = engine.layout(live, kept[name].address)
        files = await tree_inside(engine, live, layout.persist)
        own = [PurePosixPath(each) for each in kept[name].persistent]
        return {
            path: file
            for path, file in files.items()
            if any(PurePosixPath(path).is_relative_to(folder) for folder in own)
        }

    return dict(zip(kept, await asyncio.gather(*map(read, kept)), strict=True))


def _note(
    session: Session,
    wanted: NewSandbox,
    paths: FacilityPaths,
    access: Mapping[str, IPv4Network],
) -> FacilityNote:
    now = session.clock.now()
    about = SandboxNote(
        facility=session.name,
        name=wanted.name,
        owner=wanted.owner or user_name(),
        made_at=now,
        expires_at=None if wanted.lasting_s is None else now + wanted.lasting_s,
        state_at=wanted.state_at,
        access=tuple(map(str, access.values())),
    )
    return FacilityNote(
        facility=paths.root.name,
        file=declared_folder(paths).absolute() / "facility.yaml",
        engine=session.engine.name,
        standing=Standing.DOWN,
        sandbox=about,
    )


def _finished(sandbox: Session, left_out: Mapping[str, tuple[str, ...]]) -> MadeSandbox:
    note = sandbox.note
    assert note is not None and note.sandbox is not None
    about = note.sandbox.model_copy(update={"is_whole": True})
    write_note(sandbox.paths, note.model_copy(update={"sandbox": about}))
    return MadeSandbox(
        name=about.name,
        facility=about.facility,
        owner=about.owner,
        expires_at=about.expires_at,
        folder=str(note.file.parent),
        iocs=tuple(sandbox.declaration.facility.iocs),
        left_out=left_out,
    )
