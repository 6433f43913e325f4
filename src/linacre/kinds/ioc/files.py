"""What is laid into the machine of an IOC: its own files, its access security, its scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration import sources
from linacre.declaration.models import Ioc, PythonIoc
from linacre.engines.base import PayloadFile
from linacre.epics.launch import Program, ProgramKind, make_scripts
from linacre.epics.layout import Layout
from linacre.kinds.files import script_files, tree_files
from linacre.kinds.ioc.build_paths import built_files, moved_environment

_ACCESS_FILE = ".linacre/access.acf"


def ioc_files(
    name: str,
    ioc: Ioc,
    layout: Layout,
    tree: sources.SourceTree | None,
    *,
    folder: Path,
    linked: bool = True,
) -> list[PayloadFile]:
    """Return an IOC's own files, its access security file and its start scripts.

    Paths of the facility file are relative to `folder`; `linked` tells whether links may be made
    in the machine outside the IOC's own files. Raises `UserError` where the tree has no start
    script.
    """
    access, access_files = _access_security(ioc, layout, tree, folder=folder)
    environment = moved_environment(ioc, layout, tree, linked=linked)
    program = _program(name, ioc, access_security=access, environment=environment)
    scripts = make_scripts(program, layout, first_line=_first_line(name, ioc, tree))
    built = built_files(ioc, layout, tree, linked=linked)
    changed = {file.path for file in built}
    return [
        PayloadFile(layout.tree, mode=0o755),
        *(file for file in tree_files(layout, tree) if file.path not in changed),
        *built,
        *access_files,
        *script_files(scripts),
    ]


def _access_security(
    ioc: Ioc, layout: Layout, tree: sources.SourceTree | None, *, folder: Path
) -> tuple[str | None, list[PayloadFile]]:
    """Return the access security file's path in the tree, and what lays it there."""
    if ioc.access_security is None:
        return None, []
    beside = folder / ioc.access_security
    if not beside.is_file() and tree is not None:
        return ioc.access_security, []
    path = layout.tree / _ACCESS_FILE
    return _ACCESS_FILE, [
        PayloadFile(path.parent, mode=0o755),
        PayloadFile(path, source=beside.resolve()),
    ]


def _first_line(name: str, ioc: Ioc, tree: sources.SourceTree | None) -> str | None:
    """Return the first line of the start script; a git source is first seen here."""
    if tree is None or (isinstance(ioc, PythonIoc) and ioc.script is None):
        return None
    start = ioc.script if isinstance(ioc, PythonIoc) else ioc.start
    assert start is not None
    if (head := tree.head(start, limit=512)) is None:
        raise UserError(f"IOC {name}: {tree.origin} has no {start}; write a file that it has")
    return head.decode(errors="replace").partition("\n")[0]


def _program(
    name: str, ioc: Ioc, *, access_security: str | None, environment: Mapping[str, str]
) -> Program:
    """Return how an IOC is started."""
    start = "" if isinstance(ioc, PythonIoc) else str(ioc.start)
    if isinstance(ioc, PythonIoc) and ioc.script is not None:
        start = str(ioc.script)
    return Program(
        name=name,
        kind=ProgramKind(ioc.kind),
        start=start,
        module=ioc.module if isinstance(ioc, PythonIoc) else None,
        args=tuple(ioc.args) if isinstance(ioc, PythonIoc) else (),
        environment=environment,
        access_security=access_security,
        persistent=tuple(str(folder) for folder in ioc.persistent),
        hold_off_s=int(ioc.hold_off),
        log_bytes=int(ioc.log.size),
        log_files=ioc.log.files,
    )
