"""What must fit between a facility file and the files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError, head_of_named
from linacre.declaration.models import (
    BinaryIoc,
    Facility,
    FolderSource,
    IncusEngine,
    Ioc,
    PythonIoc,
)
from linacre.declaration.models.archiver_values import read_pvs
from linacre.documents.document import Problem
from linacre.documents.quoting import one_of


def check_files(facility: Facility, folder: Path) -> Iterator[Problem]:
    """Yield what is not there, or not as it must be; paths in the file are relative to `folder`."""
    yield from _sources(facility, folder)
    yield from _services(facility, folder)
    yield from _archivers(facility, folder)
    for section, name, each in facility.machines():
        if section.check is not None:
            yield from section.check(name, each, folder)
    yield from _access_files(facility, folder)
    yield from _engine_files(facility, folder)


def _sources(facility: Facility, folder: Path) -> Iterator[Problem]:
    for name, ioc in facility.iocs.items():
        if not isinstance(ioc.source, FolderSource):
            continue
        path, tree = ("iocs", name), folder / ioc.source.folder
        if not tree.is_dir():
            yield _no_folder((*path, "source"), ioc.source.folder, tree)
            continue
        start = ioc.script if isinstance(ioc, PythonIoc) else ioc.start
        key = "script" if isinstance(ioc, PythonIoc) else "start"
        if start is not None and not (tree / start).is_file():
            message = f"{start} is not in {ioc.source.folder}; write {_start_advice(ioc, tree)}"
            yield Problem((*path, key), message)
        elif isinstance(ioc, BinaryIoc) and (wrong := _lacks_program(ioc.start, tree)):
            yield Problem((*path, key), wrong)


def _no_folder(path: tuple[str, ...], given: str, tree: Path) -> Problem:
    what = "is not a folder" if tree.exists() else "is not there"
    return Problem(path, f"{given} {what} (looked for {tree}); make it, or correct the path")


def _services(facility: Facility, folder: Path) -> Iterator[Problem]:
    for name, service in facility.services.items():
        source = service.source
        if isinstance(source, FolderSource) and not (folder / source.folder).is_dir():
            path = ("services", name, "source")
            yield _no_folder(path, source.folder, folder / source.folder)
        for path, file in service.files.items():
            if file.source is not None and not (folder / file.source).is_file():
                what = "is no plain file" if (folder / file.source).exists() else "is not there"
                message = f"{file.source} {what} (looked for {folder / file.source})"
                where = ("services", name, "files", str(path))
                yield Problem(where, f"{message}; make it, or correct the path")


def _archivers(facility: Facility, folder: Path) -> Iterator[Problem]:
    for name, archiver in facility.archivers.items():
        path = ("archivers", name, "pvs_file")
        given = archiver.pvs_file
        if given is not None and not (folder / given).is_file():
            what = "is no plain file" if (folder / given).exists() else "is not there"
            message = f"{given} {what} (looked for {folder / given})"
            yield Problem(path, f"{message}; make it, or correct the path")
        elif given is not None:
            try:
                read_pvs((folder / given).read_text())
            except ValueError as error:
                yield Problem(path, f"{given}: {error}")


def _lacks_program(start: PurePosixPath, tree: Path) -> str | None:
    """Return what is wrong with the first line of a start script; None where it names a program."""
    try:
        if head_of_named(tree / start, top=tree, limit=2) == b"#!":
            return None
    except UnsafeNameError as error:
        return f"{start}: {error}"
    return (
        f"{start} does not begin with the IOC's program; "
        "let its first line be one like #!../../bin/linux-x86_64/s02scr"
    )


def _start_advice(ioc: Ioc, tree: Path) -> str:
    """Return a file of the tree that may be the one meant, else what is usual."""
    pattern = "*.py" if isinstance(ioc, PythonIoc) else "st.cmd"
    deep = "iocBoot/*/st.cmd" if isinstance(ioc, BinaryIoc) else pattern
    found = sorted(str(f.relative_to(tree)) for f in tree.glob(deep))
    return one_of(found[:4]) if found else f"the path of one that is there, such as {pattern}"


def _access_files(facility: Facility, folder: Path) -> Iterator[Problem]:
    default = facility.defaults.ioc.access_security
    missing_default = False
    for name, ioc in facility.iocs.items():
        file = ioc.access_security
        # A git source is looked into when it is fetched, not here.
        if file is None or (folder / file).is_file() or not _can_look(ioc):
            continue
        if isinstance(ioc.source, FolderSource) and (folder / ioc.source.folder / file).is_file():
            continue
        if file == default and missing_default:
            continue
        own = file != default
        missing_default = missing_default or not own
        path = ("iocs", name) if own else ("defaults", "ioc")
        yield Problem(
            (*path, "access_security"),
            f"{file} is neither beside the facility file nor in the files of {name}; "
            "make it, or correct the path",
        )


def _can_look(ioc: Ioc) -> bool:
    return ioc.source is None or isinstance(ioc.source, FolderSource)


def _engine_files(facility: Facility, folder: Path) -> Iterator[Problem]:
    if not isinstance(facility.engine, IncusEngine):
        return
    for key in ("certificate", "key", "server_certificate"):
        file: str | None = getattr(facility.engine, key)
        if file is not None and not (folder / file).is_file():
            message = f"{file} is not there (looked for {folder / file}); correct the path"
            yield Problem(("engine", key), message)
