"""What was changed in a sandbox: files, settings and set points, beside those of its facility."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from linacre.base.errors import LinacreError
from linacre.base.log import redact_text
from linacre.catalogue.model import State
from linacre.declaration.load import Declaration
from linacre.declaration.models import FolderSource, Ioc
from linacre.engines.base import Engine, MachineState
from linacre.kinds.ioc.differences import FileDifference, differing
from linacre.kinds.ioc.file_tree import Tree, folder_tree, shown, tree_inside, without
from linacre.kinds.ioc.set_points import Value, read_set_points
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.states import LINACRES_OWN, SETTINGS, kept_tree
from linacre.operations.sandboxes.copying import ACCESS_FILE
from linacre.operations.sandboxes.values import names_of
from linacre.session.session import Session

_OF_PLACES = ("source", "access_security", "devices", "host", "after")
"""What a sandbox's entries say otherwise from the first."""
_SIDES = ("facility", "sandbox")


@dataclass(frozen=True)
class SetPointDifference:
    """A set point that is another in the sandbox."""

    name: str
    facility: Value | None
    """None where it does not answer there."""
    sandbox: Value | None


@dataclass(frozen=True)
class SandboxDifferences:
    """What was changed in a sandbox."""

    files: Mapping[str, tuple[FileDifference, ...]]
    """By IOC; that of its settings is called `settings`."""
    set_points: tuple[SetPointDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether it is as its facility is."""
        return not self.set_points and not any(self.files.values())


async def differences(session: Session, sandbox: Session) -> SandboxDifferences:
    """Return how a sandbox that is up differs from its facility as that is now."""
    iocs = sandbox.declaration.facility.iocs
    states = await last_states(session, iocs)
    async with sandbox.engine_up() as engine:
        trees = {name: await tree_of(sandbox, engine, name) for name in iocs}
        names = await names_of(sandbox, iocs.keys())
        theirs = await _values(sandbox, engine, names)
    kept = KeptFiles(session.paths.files)
    files = {
        name: tuple(_changed(sandbox, name, states.get(name), kept, tree))
        for name, tree in trees.items()
    }
    async with session.engine_up() as engine:
        there = session.declaration.facility.networks.keys()
        own = await _values(session, engine, {n: each for n, each in names.items() if n in there})
    found = (
        SetPointDifference(name, own.get(name), theirs.get(name))
        for each in names.values()
        for name in each
        if own.get(name) != theirs.get(name)
    )
    return SandboxDifferences(files, tuple(sorted(found, key=lambda each: each.name)))


async def last_states(session: Session, iocs: Mapping[str, object]) -> dict[str, State]:
    """Return the newest states of IOCs of a facility; one that has none is left out."""
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        found = {name: await inventory.last_state(name) for name in iocs}
    return {name: state for name, state in found.items() if state is not None}


async def tree_of(sandbox: Session, engine: Engine, name: str) -> Tree:
    """Return the files of an IOC of a sandbox, its access security among them.

    They are those in its machine where that runs, else those of its folder.
    """
    ioc = sandbox.declaration.facility.iocs[name]
    live = (await sandbox.pair(name)).live
    machine = (await sandbox.machines((live,))).get(live)
    if machine is not None and machine.state is MachineState.RUNNING:
        tree: Tree = await tree_inside(engine, live, engine.layout(live, ioc.address).tree)
    else:
        tree = _in_folder(sandbox.declaration, ioc)
    return _own(without(tree, [PurePosixPath(str(each)) for each in ioc.persistent]))


def _own(tree: Tree) -> Tree:
    """Return an IOC's own files, and its access security."""
    own = without(tree, [PurePosixPath(LINACRES_OWN)])
    return own | ({ACCESS_FILE: tree[ACCESS_FILE]} if ACCESS_FILE in tree else {})


def _in_folder(declaration: Declaration, ioc: Ioc) -> Tree:
    """Return what a machine of an IOC would have from the sandbox's own folder."""
    if not isinstance(ioc.source, FolderSource):
        return {}
    own = folder_tree(declaration.folder / ioc.source.folder)
    beside = declaration.folder / (ioc.access_security or "-")
    access = folder_tree(beside.parent).get(beside.name) if beside.is_file() else None
    return own | ({} if access is None else {ACCESS_FILE: access})


async def _values(
    session: Session, engine: Engine, names: Mapping[str, tuple[str, ...]]
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for network, each in names.items():
        try:
            found |= await read_set_points(session, engine, network, each)
        except LinacreError as error:
            session.say(f"{session.name}: {error}")
    return found


def _changed(
    sandbox: Session, name: str, state: State | None, kept: KeptFiles, tree: Tree
) -> list[FileDifference]:
    before = {} if state is None else kept_tree(state, kept)
    own = _own(before)
    entry = sandbox.declaration.facility.iocs[name].model_dump(mode="json", exclude_defaults=True)
    said = [_recorded(before), _settings(json.loads(redact_text(json.dumps(entry))))]
    texts = [{"settings": text} if text else {} for text in said]
    return [
        *differing(texts[0], texts[1], sides=_SIDES),
        *differing(shown(own), shown(tree), sides=_SIDES),
    ]


def _recorded(tree: Tree) -> bytes:
    return _settings(json.loads(tree[SETTINGS].content)) if SETTINGS in tree else b""


def _settings(entry: Mapping[str, Any]) -> bytes:
    kept = {key: value for key, value in sorted(entry.items()) if key not in _OF_PLACES}
    return f"{json.dumps(kept, indent=2)}\n".encode() if kept else b""
