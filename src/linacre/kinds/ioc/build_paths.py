"""An IOC whose files name the place where they were built: that place, in its machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from linacre.declaration import sources
from linacre.declaration.models import Ioc, PythonIoc
from linacre.engines.base import PayloadFile
from linacre.epics.layout import Layout


def built_at(ioc: Ioc, layout: Layout) -> PurePosixPath | None:
    """Return where an IOC's files were built, if that is not where they are in the machine."""
    if isinstance(ioc, PythonIoc) or ioc.built_at == layout.tree:
        return None
    return ioc.built_at


def built_files(
    ioc: Ioc, layout: Layout, tree: sources.SourceTree | None, *, linked: bool
) -> list[PayloadFile]:
    """Return what leads from the place where an IOC was built to its files.

    That is a link where the machine has a file system of its own (`linked`), and elsewhere the
    envPaths of the tree with its present place in them.
    """
    old = built_at(ioc, layout)
    if old is None or tree is None:
        return []
    if linked:
        return [PayloadFile(old, link=str(layout.tree), mode=0o777)]
    return [
        PayloadFile(
            layout.tree / each.path,
            data=each.read().replace(bytes(old), bytes(layout.tree)),
        )
        for each in sources.source_files(tree.folder)
        if each.link is None and each.path.name.startswith("envPaths")
    ]


def emptied_for_link(ioc: Ioc, layout: Layout, *, linked: bool) -> tuple[PurePosixPath, ...]:
    """Return what is emptied for a link: a folder that an earlier, longer path left there."""
    old = built_at(ioc, layout)
    # What is inside the tree is emptied with it.
    return () if old is None or not linked or old.is_relative_to(layout.tree) else (old,)


def moved_environment(
    ioc: Ioc, layout: Layout, tree: sources.SourceTree | None, *, linked: bool
) -> Mapping[str, str]:
    """Return the environment of an IOC, which finds its libraries where there can be no link."""
    old = built_at(ioc, layout)
    if old is None or tree is None or linked:
        return ioc.environment
    moved = {key: _moved(value, old, layout.tree) for key, value in ioc.environment.items()}
    own = [str(layout.tree / folder) for folder in _library_folders(tree)]
    given = moved.get("LD_LIBRARY_PATH")
    if found := ":".join([*([given] if given else []), *own]):
        moved["LD_LIBRARY_PATH"] = found
    return moved


def _moved(text: str, old: PurePosixPath, new: PurePosixPath) -> str:
    """Return a text, a list of paths perhaps, with those below the old place in the new one."""
    parts = text.split(":")
    for number, part in enumerate(parts):
        if part.startswith("/") and PurePosixPath(part).is_relative_to(old):
            parts[number] = str(new / PurePosixPath(part).relative_to(old))
    return ":".join(parts)


def _library_folders(tree: sources.SourceTree) -> list[PurePosixPath]:
    """Return the folders of shared libraries of a tree: lib/<architecture>."""
    found = {
        each.path.parent
        for each in sources.source_files(tree.folder)
        if each.path.parts[0] == "lib" and len(each.path.parts) <= 3 and ".so" in each.path.name
    }
    return sorted(found)
