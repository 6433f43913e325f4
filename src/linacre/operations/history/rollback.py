"""Bringing an earlier state of an IOC back: its files and its part of the facility file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

from linacre.base.errors import LinacreError, UserError
from linacre.base.log import HIDDEN, redact_text
from linacre.base.tasks import TaskState, user_name
from linacre.catalogue.model import FileEntry, NewState, State
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.declaration.load import Declaration
from linacre.declaration.models import FolderSource
from linacre.documents.document import parse
from linacre.engines.labels import DECLARED_DIGEST
from linacre.kinds.ioc.file_tree import Tree, TreeFile, folder_tree, lay_tree, without
from linacre.operations.bring_up import bring_up
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.states import (
    LINACRES_OWN,
    difference,
    entry_of,
    keep_tree,
    kept_tree,
)
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.session import Session

_FILES_SHOWN = 10
NOT_BROUGHT_UP = "not brought up"
"""Stands for the command of a state that was in the folder and never in a machine."""


@dataclass(frozen=True)
class RolledBack:
    """The end of a rollback."""

    ioc: str
    number: int
    """The state that came back."""
    is_up: bool
    """Whether the IOC runs it; otherwise it does after the next `up`."""
    files: tuple[str, ...]
    """The files that were written or removed."""


@dataclass(frozen=True)
class _Way:
    """All that leads back to a state, found out before anything is changed."""

    state: State
    text: FacilityText
    """The facility file as it is to be."""
    folder: Path | None = None
    """Where its files are written; None for a git source or a module."""
    present: Tree = field(default_factory=dict[str, TreeFile])
    wanted: Tree = field(default_factory=dict[str, TreeFile])

    @property
    def changes(self) -> tuple[str, ...]:
        paths = sorted(self.present.keys() | self.wanted.keys())
        return tuple(p for p in paths if self.present.get(p) != self.wanted.get(p))


async def roll_back(
    session: Session, name: str, *, to: int | None, interaction: Interaction
) -> RolledBack | None:
    """Bring a state of an IOC back, by default the one before, as a new change.

    Its files are written to its folder beside the facility file and its part of that file is
    written as it was; then the IOC alone is brought up. Returns None where the person asked said
    no. Raises `UserError` for a state that there is none of, `LinacreError` where it is not kept
    here.
    """
    session.check_ioc(name)
    is_up = await session.is_up()
    if is_up:
        await _check_no_twin(session, name)
    async with session.catalogue_open() as catalogue:
        states = await catalogue.inventory(session.name).states(name)
    state = _chosen(name, states, to)
    kept = KeptFiles(session.paths.files)
    file = draft(session.declaration)
    way = _way(file, state, kept)
    if way.folder is None or way.folder.is_dir():
        # Before anything is written; a folder that is gone would be found to be missing.
        file.declares(way.text)
    unknown = _unknown_files(way, states, kept)
    if not interaction.confirm(_question(session.declaration, way, unknown=bool(unknown))):
        return None
    if unknown:
        await _keep_present(session, way, states[-1], unknown, kept)
    if way.folder is not None:
        lay_tree(way.folder, old=way.present, new=way.wanted)
    declaration = file.write(way.text)
    if is_up:
        await _free(session, name)
        await bring_up(
            replace(session, declaration=declaration),
            UpOptions(only=frozenset({name})),
            replace(interaction, confirm=_agreed),
            verb="ioc rollback",
            note=f"back to state {state.number}",
        )
    return RolledBack(name, state.number, is_up, way.changes)


async def _check_no_twin(session: Session, name: str) -> None:
    async with session.engine_up():
        if (await session.pair(name)).twin is not None:
            raise UserError(
                f"{name} has a twin, and keeps its files until one is chosen: linacre ioc promote "
                f"{name} first, or linacre ioc swap {name} to go back to the other"
            )


async def _free(session: Session, name: str) -> None:
    """Let the machine take the declared files, also where it keeps those of a promoted twin."""
    async with session.changing(f"ioc rollback {name}") as engine:
        live = (await session.pair(name)).live
        if live in await session.machines():
            # Incus takes an empty value for none.
            await engine.set_labels(live, {DECLARED_DIGEST: "-"})


def _chosen(name: str, states: Sequence[State], to: int | None) -> State:
    if not states:
        raise LinacreError(f"{name} has no history yet: it begins with the next linacre up")
    if to is not None:
        found = next((state for state in states if state.number == to), None)
        if found is None:
            raise UserError(
                f"{name} has no state {to}; it has 1 to {states[-1].number}: see linacre ioc "
                f"history {name}"
            )
        return found
    last = states[-1]
    earlier = [
        state
        for state in states[:-1]
        if (state.files, state.settings) != (last.files, last.settings)
        and state.outcome in ("", TaskState.DONE)
        and state.verb != NOT_BROUGHT_UP
    ]
    if not earlier:
        raise LinacreError(f"{name} has no state before the present one to go back to")
    return earlier[-1]


def _agreed(_: str) -> bool:
    """Answer the questions of what follows from one that was answered."""
    return True


def _way(file: Draft, state: State, kept: KeptFiles) -> _Way:
    entry = _with_secrets(state, file.text.entry_of(state.ioc))
    text = file.text.replace_ioc(state.ioc, entry)
    data = _data_of(entry, state)
    source = data.get("source")
    if isinstance(source, dict) and "git" in source:
        # The very commit of the state, where a branch or a tag led to it.
        text = text.set_value(state.ioc, ("source", "revision"), state.revision)
        return _Way(state, text)
    if source is None:
        return _Way(state, text)
    folder = (file.declaration.folder / _folder_of(source)).resolve()
    persistent = [PurePosixPath(str(each)) for each in data.get("persistent") or ()]
    apart = [*persistent, PurePosixPath(LINACRES_OWN)]
    wanted = without(kept_tree(state, kept), apart)
    return _Way(state, text, folder, without(folder_tree(folder), apart), wanted)


def _folder_of(source: Any) -> str:
    return str(cast("dict[str, Any]", source)["folder"] if isinstance(source, dict) else source)


def _with_secrets(state: State, present: str) -> str:
    """Return the entry of a state with the secrets that history does not keep."""
    there = {redact_text(line).strip(): line.strip() for line in present.splitlines()}
    lines = state.settings.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if HIDDEN not in line:
            continue
        if line.strip() not in there:
            raise LinacreError(
                f"the settings of state {state.number} had a secret, which history does not keep: "
                f"write {line.strip().partition(':')[0]} into the facility file by hand"
            )
        lines[number] = line.replace(line.strip(), there[line.strip()])
    return "".join(lines)


def _data_of(entry: str, state: State) -> Mapping[str, Any]:
    """Return the settings of an entry as plain data."""
    document = parse(entry)
    if document.problems:
        raise LinacreError(
            f"the settings of state {state.number} cannot be read alone "
            f"({document.problems[0].message}): write them into the facility file by hand, from "
            f"linacre ioc history {state.ioc} --settings {state.number}"
        )
    return next(iter(document.data.values()))


def _unknown_files(
    way: _Way, states: Sequence[State], kept: KeptFiles
) -> Mapping[str, FileEntry] | None:
    """Return the files of the folder where no state has them as they are: they are kept."""
    if not way.present:
        return None
    present = keep_tree(way.present, kept)
    own = PurePosixPath(LINACRES_OWN)
    for state in states:
        if {p: e for p, e in state.files.items() if not PurePosixPath(p).is_relative_to(own)} == (
            present
        ):
            return None
    return present


async def _keep_present(
    session: Session, way: _Way, last: State, files: Mapping[str, FileEntry], kept: KeptFiles
) -> None:
    """Make a state of what the folder holds and nobody brought up, so that it is not lost."""
    name = way.state.ioc
    before = without(kept_tree(last, kept), [PurePosixPath(LINACRES_OWN)])
    entry = entry_of(session.declaration, name)
    new = NewState(
        ioc=name,
        verb=NOT_BROUGHT_UP,
        task_id=None,
        user=user_name(),
        at=session.clock.now(),
        source=str(way.folder),
        revision="",
        digest="",
        settings=redact_text(entry),
        files=files,
        diff=difference(before, way.present, sides=(f"state {last.number}", "new")),
        note="what the folder held before a rollback",
    )
    async with session.catalogue_open() as catalogue:
        await catalogue.inventory(session.name).add_state(new)


def _question(declaration: Declaration, way: _Way, *, unknown: bool) -> str:
    state = way.state
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(state.at))
    lines = [f"State {state.number} of {state.ioc} ({state.verb} by {state.user}, {when}):"]
    if way.folder is not None:
        lines.append(f"  {len(way.changes)} files of {way.folder} are written or removed")
        lines += [f"    {path}" for path in way.changes[:_FILES_SHOWN]]
        lines += [f"  that folder is {other}'s too" for other in _sharing(declaration, way)]
    if unknown:
        lines.append("  what the folder holds now was never brought up: it is kept as a state")
    if way.text.text != declaration.text:
        lines.append(f"  its part of {declaration.file.name} is written as it was")
    return "\n".join([*lines, "The IOC restarts if it differs. Go back?"])


def _sharing(declaration: Declaration, way: _Way) -> list[str]:
    return [
        name
        for name, ioc in declaration.facility.iocs.items()
        if name != way.state.ioc
        and isinstance(ioc.source, FolderSource)
        and (declaration.folder / ioc.source.folder).resolve() == way.folder
    ]
