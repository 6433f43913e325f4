"""The entries and files of a sandbox: as IOCs run them in the facility, or ran them at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any, cast

from linacre.base.errors import LinacreError
from linacre.base.log import HIDDEN
from linacre.catalogue.model import State
from linacre.declaration.load import Declaration
from linacre.declaration.models import (
    ARCHIVERS,
    IOCS,
    SERVICES,
    Archiver,
    FolderSource,
    Service,
)
from linacre.engines.base import PayloadFile
from linacre.kinds.ioc.file_tree import Tree, TreeFile, folder_tree, lay_tree, without
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.states import LINACRES_OWN, SETTINGS, kept_tree
from linacre.operations.sandboxes.declaring import Chosen

ACCESS_FILE = f"{LINACRES_OWN}/access.acf"
"""Where an access security file that stands beside the facility file is among an IOC's files."""
_HOSTS_OWN = ("devices", "host")
"""What an entry names of a host: a sandbox drives no hardware."""


@dataclass(frozen=True)
class Copied:
    """The entry of a sandbox's facility file, and what is laid beside that file."""

    entry: dict[str, Any]
    files: dict[str, TreeFile] = field(default_factory=dict[str, TreeFile])
    """By their path beside the facility file."""
    without: tuple[str, ...] = ()
    """What the facility gives it and the sandbox does not."""


def copied_ioc(
    declaration: Declaration, state: State, kept: KeptFiles, *, persistent: Tree
) -> Copied:
    """Return an IOC as a state of its history has it; `persistent` is what it has written.

    Raises `LinacreError` where something of the state is not kept here.
    """
    tree = kept_tree(state, kept)
    if SETTINGS not in tree:
        said = f"state {state.number} of {state.ioc} is of an older Linacre"
        raise LinacreError(f"{said}: its settings are not kept")
    present = declaration.facility.iocs.get(state.ioc)
    entry = _revealed(
        json.loads(tree[SETTINGS].content),
        {} if present is None else present.model_dump(mode="json"),
        state,
    )
    own = without(tree, [PurePosixPath(LINACRES_OWN)]) | dict(persistent)
    files: dict[str, TreeFile] = {}
    if entry.get("source") is not None:
        entry["source"] = f"iocs/{state.ioc}"
        files = {f"iocs/{state.ioc}/{path}": file for path, file in own.items()}
    if (access := tree.get(ACCESS_FILE)) is not None:
        entry["access_security"] = path = f"access/{state.ioc}.acf"
        files[path] = access
    return Copied(*_without_hosts_own(entry, files))


def copied_service(declaration: Declaration, name: str, service: Service) -> Copied:
    """Return a service with its files as they stand beside the facility file."""
    entry = service.model_dump(mode="json", exclude_defaults=True)
    files: dict[str, TreeFile] = {}
    if isinstance(service.source, FolderSource):
        entry["source"] = f"services/{name}"
        tree = folder_tree(declaration.folder / service.source.folder)
        files = {f"services/{name}/{path}": file for path, file in tree.items()}
    for place, each in service.files.items():
        if each.source is not None:
            path = f"files/{name}{place}"
            entry["files"][str(place)]["source"] = path
            files[path] = _file(declaration.folder / each.source)
    return Copied(*_without_hosts_own(entry, files))


def copied_archiver(declaration: Declaration, name: str, archiver: Archiver) -> Copied:
    """Return an archiver, which begins without data."""
    entry = archiver.model_dump(mode="json", exclude_defaults=True)
    files: dict[str, TreeFile] = {}
    if archiver.pvs_file is not None:
        entry["pvs_file"] = f"archivers/{name}.txt"
        files[entry["pvs_file"]] = _file(declaration.folder / archiver.pvs_file)
    return Copied(*_without_hosts_own(entry, files))


def copies_of(
    declaration: Declaration,
    kept: KeptFiles,
    parts: Chosen,
    states: Mapping[str, State],
    written: Mapping[str, Tree],
) -> dict[str, dict[str, Copied]]:
    """Return what a sandbox has, by section and name; `written` is what IOCs have written."""
    facility = declaration.facility
    found: dict[str, dict[str, Copied]] = {
        IOCS.key: {
            name: copied_ioc(declaration, state, kept, persistent=written.get(name, {}))
            for name, state in states.items()
        }
    }
    for section, name, item in facility.machines():
        if section is IOCS or not parts.has(section.key, name):
            continue
        there = found.setdefault(section.key, {})
        if section is SERVICES:
            there[name] = copied_service(declaration, name, facility.services[name])
        elif section is ARCHIVERS:
            there[name] = copied_archiver(declaration, name, facility.archivers[name])
        else:
            model: Any = item
            there[name] = Copied(model.model_dump(mode="json", exclude_defaults=True))
    return found


def lay_anew(folder: Path, files: Tree) -> None:
    """Put a folder, which nobody but this user may read, in the place of what an earlier try left.

    It is there whole or not at all.
    """
    new = folder.with_name(f"{folder.name}.new")
    for each in (new, folder):
        if each.exists():
            shutil.rmtree(each)
    new.mkdir(mode=0o700, parents=True)
    lay_tree(new, old={}, new=files)
    new.rename(folder)


def _file(path: Path) -> TreeFile:
    """Return a file that the facility file names, as a machine gets it."""
    there = PayloadFile(PurePosixPath(path.name), source=path.resolve())
    return TreeFile(0o755 if path.stat().st_mode & 0o111 else 0o644, there.content or b"")


def _without_hosts_own(
    entry: dict[str, Any], files: dict[str, TreeFile]
) -> tuple[dict[str, Any], dict[str, TreeFile], tuple[str, ...]]:
    found = tuple(key for key in _HOSTS_OWN if entry.get(key))
    return {key: value for key, value in entry.items() if key not in _HOSTS_OWN}, files, found


def _revealed(kept: Any, present: Any, state: State) -> Any:
    """Return settings with the secrets that history does not keep, as the facility has them now."""
    if isinstance(kept, dict):
        there = cast("Mapping[str, Any]", present if isinstance(present, dict) else {})
        items = cast("Mapping[str, Any]", kept).items()
        return {key: _revealed(value, there.get(key), state) for key, value in items}
    if isinstance(kept, list):
        own = cast("list[Any]", present) if isinstance(present, list) else []
        each = cast("list[Any]", kept)
        return [_revealed(*pair, state) for pair in zip_longest(each, own[: len(each)])]
    if not isinstance(kept, str) or HIDDEN not in kept:
        return cast("Any", kept)
    if not isinstance(present, str):
        raise LinacreError(
            f"the settings of state {state.number} of {state.ioc} had a secret, which history "
            "does not keep and the facility file no longer has"
        )
    return present
