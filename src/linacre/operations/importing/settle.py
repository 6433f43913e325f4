"""From what an IOC needs to what is declared of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from linacre.base.enclosed import Limits, UnsafeNameError, walk
from linacre.declaration.models import MountSettings
from linacre.declaration.models.settings import built_path
from linacre.operations.importing.commands import SERVER_VARIABLES
from linacre.operations.importing.findings import Findings
from linacre.operations.importing.libraries import Libraries
from linacre.operations.importing.locate import Found
from linacre.operations.importing.matching import matching
from linacre.operations.importing.options import Run
from linacre.operations.importing.places import Places
from linacre.operations.importing.program import Program
from linacre.operations.importing.reading import text_or_none
from linacre.operations.importing.understood import Copy, Declared

LIBRARIES = PurePosixPath("linacre-lib")
"""The folder of a tree for libraries from elsewhere."""
FILES = PurePosixPath("linacre-files")
"""The folder of a tree for other files from elsewhere."""
_LARGEST_COPY = Limits(entries=10_000, size_bytes=16 << 20)
_MOST_SCRIPTS = 1_000
_TREE = PurePosixPath("/srv/ioc")
_USER = "PATH HOME USER LOGNAME SHELL PWD OLDPWD TERM LD_LIBRARY_PATH _"
_OF_THE_USER = frozenset(_USER.split(" "))
_CLIENTS = frozenset({"EPICS_CA_ADDR_LIST", "EPICS_PVA_ADDR_LIST", "EPICS_CA_AUTO_ADDR_LIST"})


def settle(
    found: Found,
    places: Places,
    run: Run,
    program: Program,
    libraries: Libraries,
    findings: Findings,
    *,
    engine: str,
) -> tuple[Declared, tuple[Copy, ...], list[str]]:
    """Return what is to be declared of an IOC, what is to be copied, and what is to be seen to."""
    notes: list[str] = []
    copies = [Copy(path, LIBRARIES / path.name) for path in libraries.elsewhere]
    top = None if program.kind == "python" else _built_at(places, notes)
    environment = dict(_environment(run, places, top, copies, notes))
    search = [str(top / LIBRARIES)] if libraries.elsewhere and top else []
    for folder in libraries.unreached:
        search.append(str((top or _TREE) / folder.relative_to(found.tree)))
    if libraries.elsewhere and top is None:
        search.insert(0, str(_TREE / LIBRARIES))
    if search:
        environment["LD_LIBRARY_PATH"] = ":".join(search)
    if _mentions_architecture(found, places) and "EPICS_HOST_ARCH" not in environment:
        environment["EPICS_HOST_ARCH"] = _architecture(program)
    declared = Declared(
        built_at=top if _needs_place(program, found, places, environment) else None,
        hold_off_s=run.hold_off_s,
        environment=environment,
        persistent=tuple(_persistent(places, program, findings, notes)),
        devices=_devices(findings, engine, notes),
        mounts=_mounts(_outside(places, program, findings), engine, notes),
    )
    return declared, tuple(copies), notes


def _built_at(places: Places, notes: list[str]) -> PurePosixPath | None:
    if places.built == _TREE:
        return None
    try:
        return built_path(places.built)
    except ValueError as error:
        notes.append(
            f"built at {places.built}, which no machine can have: {error}; full paths of it in "
            "scripts do not hold: build it under another path"
        )
        return None


def _needs_place(
    program: Program, found: Found, places: Places, environment: dict[str, str]
) -> bool:
    """Tell whether anything names the IOC's place; of a built program that is taken for granted."""
    if program.kind == "binary" or found.built is not None or places.laid:
        return True
    top = str(places.built)
    if any(top in value for value in environment.values()):
        return True
    scripts = matching((found.tree / found.start).parent, "*", given=places.given)[:_MOST_SCRIPTS]
    return any(top in (text_or_none(path, given=places.given) or "") for path in scripts)


def _mentions_architecture(found: Found, places: Places) -> bool:
    text = text_or_none(found.tree / found.start, given=places.given)
    return text is not None and "EPICS_HOST_ARCH" in text


def _architecture(program: Program) -> str:
    parts = program.path.parts
    return parts[-2] if len(parts) > 2 and parts[-3] == "bin" else "linux-x86_64"


def _environment(
    run: Run,
    places: Places,
    top: PurePosixPath | None,
    copies: list[Copy],
    notes: list[str],
) -> Iterator[tuple[str, str]]:
    for key, value in run.environment.items():
        if key in _OF_THE_USER:
            continue
        if any(ord(char) < 32 for char in value):
            notes.append(f"{key} has several lines and is not taken over")
        elif SERVER_VARIABLES.fullmatch(key):
            notes.append(
                f"{key} was {value}: not taken over; an IOC here has its own address and the "
                "standard ports"
            )
        else:
            if key in _CLIENTS:
                notes.append(
                    f"{key} is {value}: it must lead to other IOCs from the facility's network too"
                )
            yield key, _with_copies(key, value, places, top, copies, notes)


def _with_copies(
    key: str,
    value: str,
    places: Places,
    top: PurePosixPath | None,
    copies: list[Copy],
    notes: list[str],
) -> str:
    """Return a list of folders with those from elsewhere copied; any other value as it is."""
    parts = value.split(":")
    for number, part in enumerate(parts):
        if not part.startswith("/") or places.relative(part) is not None:
            continue
        folder = Path(part)
        if not folder.is_dir() or top is None or not _is_small(folder):
            notes.append(f"{key} names {part}, which its machine will not have: see mounts")
            continue
        path = FILES / f"{key.lower()}-{number}" / folder.name
        copies.append(Copy(folder, path))
        parts[number] = str(top / path)
    return ":".join(parts)


def _is_small(folder: Path) -> bool:
    try:
        for _ in walk(folder, _LARGEST_COPY):
            pass
    except (OSError, UnsafeNameError):
        return False
    return True


def _persistent(
    places: Places, program: Program, findings: Findings, notes: list[str]
) -> Iterator[PurePosixPath]:
    found: list[PurePosixPath] = []
    for folder in dict.fromkeys(findings.saves):
        relative = places.relative(folder)
        if relative is None:
            notes.append(
                f"autosave writes to {folder}, which its machine does not have: let "
                "set_savefile_path name a folder of the IOC's own files"
            )
        elif (places.built / relative) in (program.folder, *program.folder.parents):
            notes.append(
                f"autosave writes beside {program.start}, where an IOC here may not write: let "
                "set_savefile_path name a folder of its own"
            )
        else:
            found.append(relative)
    for folder in found:
        if not any(folder != other and folder.is_relative_to(other) for other in found):
            yield folder


def _outside(places: Places, program: Program, findings: Findings) -> list[PurePosixPath]:
    """Return the folders outside the IOC's own files that it needs at their paths."""
    folders = [*findings.folders]
    if program.file is not None and places.relative(program.path) is None:
        parts = program.path.parts
        # Its libraries stand beside it, in lib.
        in_bin = len(parts) > 4 and parts[-3] == "bin"
        folders.append(program.path.parents[2] if in_bin else program.path.parent)
    return [
        folder
        for folder in dict.fromkeys(folders)
        if not any(folder != other and folder.is_relative_to(other) for other in folders)
    ]


def _mounts(
    folders: list[PurePosixPath], engine: str, notes: list[str]
) -> tuple[PurePosixPath, ...]:
    found: list[PurePosixPath] = []
    for folder in folders:
        if engine == "process":
            notes.append(f"{folder} is used where it is, on this host")
            continue
        try:
            # Their fields are parsed from what stands in a facility file.
            MountSettings.model_validate({"host": str(folder), "path": str(folder)})
        except ValidationError:
            notes.append(
                f"{folder} is needed, and belongs to the machine's own system, so it cannot be "
                "mounted: put what is needed of it among the IOC's own files"
            )
        else:
            found.append(folder)
    return tuple(found)


def _devices(findings: Findings, engine: str, notes: list[str]) -> tuple[str, ...]:
    if engine == "process" and findings.devices:
        notes.append(f"{', '.join(findings.devices)}: used as they are on this host")
        return ()
    return tuple(findings.devices)
