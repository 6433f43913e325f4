"""The states of an IOC: its files and settings as they were, kept so that they can come back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from linacre.base.errors import UserError
from linacre.base.log import redact, redact_text
from linacre.catalogue.model import FileEntry, State
from linacre.declaration.load import Declaration
from linacre.declaration.models import Ioc
from linacre.engines.base import Machine, MachineSpec
from linacre.engines.labels import ORIGIN, PROGRAM_DIGEST
from linacre.epics.layout import Layout
from linacre.kinds.ioc.differences import differing
from linacre.kinds.ioc.file_tree import Tree, TreeFile, declared_tree, shown, without
from linacre.operations.history.kept_files import KeptFiles

SETTINGS = ".linacre/settings.json"
"""Stands among the files of a state for the settings in force, those of `defaults` included."""

LINACRES_OWN = ".linacre"
"""The folder among an IOC's files that is not its author's."""

_LONGEST_DIFF = 100_000


@dataclass(frozen=True)
class Draft:
    """A state that an IOC is about to have, or has."""

    ioc: str
    source: str
    revision: str
    """The commit of a git source; empty for a folder."""
    digest: str
    settings: str
    """Its part of the facility file, without secrets."""
    tree: Tree


def declared_draft(declaration: Declaration, name: str, spec: MachineSpec, layout: Layout) -> Draft:
    """Return what a declared IOC is to be; its files are read."""
    return _draft(declaration, name, spec.labels, declared_tree(spec, layout.tree))


def found_draft(declaration: Declaration, name: str, machine: Machine, tree: Tree) -> Draft:
    """Return what a machine of an IOC is, from the files that are in it."""
    return _draft(declaration, name, machine.labels, tree)


def _draft(declaration: Declaration, name: str, labels: Mapping[str, str], tree: Tree) -> Draft:
    ioc = declaration.facility.iocs[name]
    source, revision = origin_parts(labels.get(ORIGIN, ""))
    own = without(tree, (PurePosixPath(str(folder)) for folder in ioc.persistent))
    return Draft(
        ioc=name,
        source=source,
        revision=revision,
        digest=labels.get(PROGRAM_DIGEST, ""),
        settings=redact_text(entry_of(declaration, name)),
        tree={**own, SETTINGS: TreeFile(0o644, _settings_in_force(ioc))},
    )


def entry_of(declaration: Declaration, name: str) -> str:
    """Return an IOC's part of the facility file; of one written in braces, what it says."""
    try:
        return declaration.written.entry_of(name)
    except UserError:
        values = declaration.written.values_of(name)
        return f"{json.dumps(name)}: {json.dumps(values, indent=2)}\n"


def origin_parts(origin: str) -> tuple[str, str]:
    """Return the source and the commit of a machine's label of origin."""
    found = re.fullmatch(r"(.+) \S+ \(([0-9a-f]{10})\)", origin)
    return (found[1], found[2]) if found else (origin, "")


def _settings_in_force(ioc: Ioc) -> bytes:
    values = ioc.model_dump(mode="json", exclude_defaults=True)
    return f"{json.dumps(redact(values), indent=2)}\n".encode()


def keep_tree(tree: Tree, kept: KeptFiles) -> dict[str, FileEntry]:
    """Keep the files of a tree and return what says which they are."""
    return {
        path: FileEntry(file.mode, link=file.link)
        if file.link
        else FileEntry(file.mode, digest=kept.keep(file.content))
        for path, file in tree.items()
    }


def kept_tree(state: State, kept: KeptFiles) -> dict[str, TreeFile]:
    """Return the files of a state; raises `LinacreError` where one is not kept here."""
    return {
        path: TreeFile(entry.mode, link=entry.link)
        if entry.link
        else TreeFile(entry.mode, kept.content(entry.digest))
        for path, entry in state.files.items()
    }


def difference(before: Tree, after: Tree, *, sides: tuple[str, str]) -> str:
    """Return a unified diff of two trees, cut where it is very long."""
    found = differing(shown(before), shown(after), sides=sides)
    text = redact_text("".join(f"{each.change}: {each.path}\n{each.text}" for each in found))
    if len(text) <= _LONGEST_DIFF:
        return text
    return f"{text[:_LONGEST_DIFF]}\n(cut here: {len(text)} characters in all)\n"
