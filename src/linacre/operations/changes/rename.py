"""Another name for an IOC: its entry, what starts after it, its files, and its machine.

A machine cannot be given another name while it lives, so a new one is made. The order is such
that a kill at any moment leaves a facility that `up` brings back, under the old name or the new
one, and that the same command given again finishes:

1. the own files are copied to the new name's folder (nothing refers to them yet);
2. the old machine is stopped, and the new one gets a copy of its persistent folder;
3. the facility file is replaced: from here on the IOC has the new name;
4. the new machine is started and serves;
5. the old machine and the old folder are removed.

The engine's record says from before 2 until after 5 which machine is a left-over of what.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.declaration.load import LoadError
from linacre.declaration.models import FolderSource
from linacre.engines.base import Machine, MachineState
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.common import (
    check_new_name,
    in_terms_of,
    machines_there,
    own_folder,
    quiet,
    set_source,
    shares_folder,
    with_declaration,
)
from linacre.operations.changes.filling import copy_files, same_files
from linacre.operations.changes.renamed_machine import (
    NewName,
    check_can_be_renamed,
    follow,
    left_over,
    make_renamed,
    mark,
    remove_renamed,
)
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.lock import FacilityLock
from linacre.session.session import Session

VERB = "ioc rename"
_FILES, _STOP, _MAKE, _ENTRY, _OLD_MACHINE, _OLD_FILES = (
    *("files", "stop", "make", "entry", "old machine", "old files"),
)


@dataclass(frozen=True)
class Renamed:
    """An IOC under its new name."""

    ioc: str
    was: str
    address: str
    declared: str
    """Where it stands in the facility file, as FILE:LINE."""
    files: str | None
    """The folder with its own files; None where it has none of its own."""
    is_running: bool


@dataclass(frozen=True)
class _Renaming:
    """What is to be done."""

    old: str
    new: str
    draft: Draft
    text: FacilityText
    """The facility file as it will be."""
    folders: tuple[Path, Path] | None
    """The folder of its own files and the new one; None where it keeps the folder."""
    machine: Machine | None


async def rename(session: Session, old: str, new: str, interaction: Interaction) -> Renamed | None:
    """Give an IOC another name, and its machine with the persistent folder.

    A rename that was cut short is finished by the same command, or taken up where `up` has gone
    back to the old name. Returns None where the person asked said no. Raises `UserError` for a
    twin, `LinacreError` where the IOC does not come up: it has the new name then, and the old
    machine is kept until this is given again.
    """
    if await _is_half_done(session, old, new):
        interaction.say(f"{old} has the name {new} already; finishing what was cut short")
    else:
        async with FacilityLock(session.paths, command=f"{VERB} {old}", clock=session.clock):
            found = draft(session.declaration)
            session = with_declaration(session, found.declaration)
            session.check_ioc(old)
            async with machines_there(session) as machines:
                renaming = await _renaming(session, found, old, new, machines)
                if not _agreed(renaming, interaction):
                    return None
                session = await _carry_out(session, renaming, interaction)
    return await _finish(session, old, new, interaction)


async def _is_half_done(session: Session, old: str, new: str) -> bool:
    iocs = session.declaration.facility.iocs
    if old in iocs or new not in iocs:
        return False
    async with machines_there(session) as machines:
        if machines and left_over(await session.engine.record(), iocs).get(old) == new:
            return True
    folder = own_folder(session, iocs[new])
    if folder is None or folder.name != new or not folder.with_name(old).is_dir():
        return False
    return same_files(folder.with_name(old), folder)


async def _renaming(
    session: Session, found: Draft, old: str, new: str, machines: Mapping[str, Machine]
) -> _Renaming:
    iocs = found.declaration.facility.iocs
    record = await session.engine.record() if machines else {}
    free = left_over(record, iocs)
    check_new_name(session, new, {n: m for n, m in machines.items() if n not in free})
    machine = await check_can_be_renamed(session, old, machines)
    text = found.text.rename_ioc(old, new)
    folders = _folders(session, old, new)
    if folders is not None:
        source = Path(_folder_source(session, old)).with_name(new)
        text = set_source(text, new, str(source))
    return _Renaming(old, new, found, text, folders, machine)


def _folder_source(session: Session, name: str) -> str:
    source = session.declaration.facility.iocs[name].source
    return source.folder if isinstance(source, FolderSource) else ""


def _folders(session: Session, old: str, new: str) -> tuple[Path, Path] | None:
    """Return the folder of an IOC's own files and the one for its new name.

    None where the folder is not named for the IOC, stands elsewhere, or is others' too.
    """
    source = Path(_folder_source(session, old))
    if source.name != old or source.is_absolute() or ".." in source.parts:
        return None
    if shares_folder(session, old):
        return None
    folder = session.declaration.folder / source
    return folder, folder.with_name(new)


def _agreed(renaming: _Renaming, interaction: Interaction) -> bool:
    machine = renaming.machine
    if machine is None or machine.state is not MachineState.RUNNING:
        return True
    return interaction.confirm(
        f"This stops {renaming.old} and starts it again as {renaming.new}, at the same address. "
        "Go on?"
    )


async def _carry_out(session: Session, renaming: _Renaming, interaction: Interaction) -> Session:
    old, new, machine = renaming.old, renaming.new, renaming.machine
    steps: list[tuple[str, str]] = []
    if renaming.folders is not None:
        steps.append((_FILES, f"copy {renaming.folders[0]} to {renaming.folders[1]}"))
    if machine is not None:
        steps.append((_STOP, f"stop {machine.name}"))
        steps.append((_MAKE, f"make {new} with the persistent folder of {machine.name}"))
    steps.append((_ENTRY, f"write {new} into {renaming.draft.declaration.file}"))
    follower = NewName(old, new)
    async with session.task(
        VERB,
        detail=f"{old} to {new}",
        steps=steps,
        listener=interaction.listener,
        recorder=follower,
    ) as task:
        for key, _ in steps:
            await task.step_started(key)
            session = await _do(session, key, renaming, interaction)
            follower.is_written = key == _ENTRY
            await task.step_done(key)
    return session


async def _do(session: Session, key: str, renaming: _Renaming, interaction: Interaction) -> Session:
    old, new, machine = renaming.old, renaming.new, renaming.machine
    if key == _FILES and renaming.folders is not None:
        copy_files(*renaming.folders)
    elif key == _STOP and machine is not None:
        # Only now could anything be stopped for nothing.
        _declared(renaming)
        await mark(session, old, new)
        await session.engine.stop(machine.name)
    elif key == _MAKE and machine is not None:
        await make_renamed(_seen(session, renaming), machine.name, new, interaction)
    elif key == _ENTRY:
        before = session
        session = with_declaration(session, renaming.draft.write(renaming.text))
        if machine is not None:
            await follow(before, session, new)
    return session


def _seen(session: Session, renaming: _Renaming) -> Session:
    return with_declaration(session, renaming.draft.declares(renaming.text))


def _declared(renaming: _Renaming) -> None:
    try:
        renaming.draft.declares(renaming.text)
    except LoadError as error:
        raise in_terms_of(renaming.new, error) from error


async def _finish(session: Session, old: str, new: str, interaction: Interaction) -> Renamed:
    ioc = session.declaration.facility.iocs[new]
    declared = session.declaration.where("iocs", new)
    is_up = await session.is_up()
    if is_up:
        try:
            await bring_up(session, UpOptions(only=frozenset({new})), quiet(interaction), verb=VERB)
        except LinacreError as error:
            raise LinacreError(
                f"{error}; {old} has the name {new} now, and its old machine is kept: mend it, "
                f"then linacre ioc rename {old} {new} finishes, and linacre ioc rename {new} {old} "
                "goes back"
            ) from error
    await _clear_away(session, old, new, interaction)
    folder = own_folder(session, ioc)
    return Renamed(
        ioc=new,
        was=old,
        address=str(ioc.address),
        declared=declared,
        files=None if folder is None else str(folder),
        is_running=is_up,
    )


async def _clear_away(session: Session, old: str, new: str, interaction: Interaction) -> None:
    """Remove what only the old name had: its machine, and its own files where all are copied."""
    async with (
        FacilityLock(session.paths, command=f"{VERB} {old}", clock=session.clock),
        machines_there(session) as machines,
    ):
        has_machine = bool(machines) and old in left_over(
            await session.engine.record(), session.declaration.facility.iocs
        )
        folder = own_folder(session, session.declaration.facility.iocs[new])
        old_folder = folder.with_name(old) if folder is not None and folder.name == new else None
        steps: list[tuple[str, str]] = []
        if has_machine:
            steps.append((_OLD_MACHINE, f"remove {old}, which {new} has replaced"))
        if folder and old_folder and old_folder.is_dir() and _is_no_ones(session, old_folder):
            if same_files(old_folder, folder):
                steps.append((_OLD_FILES, f"remove {old_folder}, which {folder} has replaced"))
            else:
                interaction.say(f"{old_folder} differs from {folder}, and is kept")
        if not steps:
            return
        detail = f"{old} to {new}"
        async with session.task(
            VERB, detail=detail, steps=steps, listener=interaction.listener
        ) as task:
            for key, _ in steps:
                await task.step_started(key)
                if key == _OLD_MACHINE:
                    await remove_renamed(session, old, machines)
                elif old_folder is not None:
                    shutil.rmtree(old_folder)
                await task.step_done(key)


def _is_no_ones(session: Session, folder: Path) -> bool:
    iocs = session.declaration.facility.iocs.values()
    used = [own.resolve() for ioc in iocs if (own := own_folder(session, ioc)) is not None]
    return not any(each.is_relative_to(folder.resolve()) for each in used)
