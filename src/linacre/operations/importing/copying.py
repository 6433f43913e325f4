"""Copying the files of an IOC beside the facility file; where they come from stays untouched."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import (
    EnclosedFolder,
    UnsafeNameError,
    inner_path,
    link_target,
    open_named,
    read_plain,
)
from linacre.base.errors import LinacreError, UserError
from linacre.operations.importing.findings import Where
from linacre.operations.importing.places import joined
from linacre.operations.importing.understood import Understood

_MOST_LINKS = 8
_LEFT_OUT = frozenset({".git", ".svn", ".hg", "__pycache__", ".iocsh_history", ".linacre"})
_LARGEST_BYTES, _MOST_FILES = 2 << 30, 100_000


@dataclass(frozen=True)
class Item:
    """One file or link to be copied."""

    path: PurePosixPath
    """In the copy."""
    source: Path | None = None
    link: str | None = None
    text: str | None = None
    """What is written, where it is no copy."""
    mode: int = 0o755
    """Of what is written."""


@dataclass(frozen=True)
class Plan:
    """What is to be copied."""

    items: tuple[Item, ...]
    left_out: tuple[str, ...]
    """What is not copied of what is used, and why."""
    size_bytes: int
    given: Path
    """The folder that is imported."""


def plan_copy(understood: Understood) -> Plan:
    """Return what is to be copied of an IOC.

    Of a makeBaseApp application that is what runs: bin and lib of its architecture, db, dbd, its
    iocBoot folder, and what its scripts refer to. Raises `UserError` where files cannot be read or
    are too much.
    """
    tree = understood.found.tree
    listing = _Listing(understood.given, tree)
    for source, path in _wanted(understood):
        is_beside = not path.is_relative_to(understood.found.own)
        top = source if is_beside and source.is_dir() else understood.found.home
        listing.take(source, path, top)
    for copy in understood.copies:
        listing.take(copy.source, copy.path, copy.source)
    items = _behind_no_link(listing.items)
    for path, text in understood.places.laid.items():
        items[path] = Item(path, text=text, mode=0o644)
    if understood.program.laid is not None:
        start = understood.program.start
        items[start] = Item(start, text=understood.program.laid)
    sources = [item.source for item in items.values() if item.source is not None]
    unreadable = [path for path in sources if not os.access(path, os.R_OK)]
    if unreadable:
        more = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
        raise UserError(f"{unreadable[0]}{more} cannot be read: run this as one who may")
    size = sum(path.stat().st_size for path in sources)
    if size > _LARGEST_BYTES:
        raise UserError(
            f"{tree} holds {size >> 20} MiB to copy, and 2 GiB is the most; name a smaller folder"
        )
    ordered = tuple(items[path] for path in sorted(items))
    return Plan(ordered, tuple(listing.left_out), size, understood.given)


def _behind_no_link(items: Mapping[PurePosixPath, Item]) -> dict[PurePosixPath, Item]:
    """Return the items with those that are named through a link where that leads to."""
    found: dict[PurePosixPath, Item] = {}
    for path, item in items.items():
        place = path
        for _ in range(_MOST_LINKS):
            links = (each for each in reversed(place.parents) if each in items)
            link = next((each for each in links if items[each].link is not None), None)
            if link is None:
                break
            there = joined(link.parent, items[link].link or "")
            place = there / place.relative_to(link)
        found[place] = replace(item, path=place)
    return found


def _wanted(understood: Understood) -> Iterator[tuple[Path, PurePosixPath]]:
    """Yield the folders and files of the tree that are wanted, and where they go."""
    tree, own = understood.found.tree, understood.found.own
    referred = [*_referred(understood)]
    inside = [path.relative_to(own) for path in referred if path.is_relative_to(own)]
    for path in _own_parts(understood, inside):
        yield tree / own / path, own / path
    for path in referred:
        # Of what is above the IOC's folder, nothing but what is named below it.
        if not path.is_relative_to(own) and not own.is_relative_to(path):
            yield tree / path, path


def _own_parts(
    understood: Understood, referred: Iterable[PurePosixPath]
) -> Iterator[PurePosixPath]:
    """Yield what is wanted of the IOC's own folder, relative to it; `referred` is what it names."""
    home, start = understood.found.home, understood.found.start.relative_to(understood.found.own)
    built = any((home / each).is_dir() for each in ("dbd", "bin"))
    if not built and start.parts[0] != "iocBoot":
        yield PurePosixPath()
        return
    tops: dict[PurePosixPath, None] = {}
    for name in ("db", "dbd", *_architectures(understood)):
        tops[PurePosixPath(name)] = None
    tops[start.parent if start.parent.parts else start] = None
    # Beside the folders of IOCs, iocBoot may hold scripts that all of them include.
    if start.parts[0] == "iocBoot":
        boot = home / "iocBoot"
        tops |= {PurePosixPath("iocBoot", p.name): None for p in boot.iterdir() if p.is_file()}
    for path in referred:
        if len(path.parts) < 2 or path.parts[0] not in ("iocBoot", "bin", "lib"):
            tops |= {PurePosixPath(part): None for part in path.parts[:1]}
        else:
            tops[path] = None
    for path in sorted(tops):
        if (home / path).exists() and not any(path != p and path.is_relative_to(p) for p in tops):
            yield path


def _architectures(understood: Understood) -> Iterator[str]:
    home = understood.found.home
    parts = understood.program.path.parts
    architecture = parts[-2] if len(parts) > 2 and parts[-3] == "bin" else None
    for top in ("bin", "lib"):
        known = architecture is not None and (home / top / architecture).is_dir()
        yield f"{top}/{architecture}" if known else top


def _referred(understood: Understood) -> Iterator[PurePosixPath]:
    """Yield what scripts, variables and autosave name among the IOC's files, and its program."""
    places, findings = understood.places, understood.findings
    paths = [use.path for use in findings.files if use.where is Where.OWN]
    paths += findings.saves
    if understood.program.file is not None:
        paths.append(understood.program.path)
    for values in (findings.variables, understood.run.environment):
        for key, value in values.items():
            for part in value.split(":"):
                if part.startswith("/") or (part and key.endswith(("PATH", "DIR"))):
                    paths.append(joined(understood.program.folder, part))
    for path in paths:
        relative = places.relative(path)
        if relative is not None and relative.parts and (understood.found.tree / relative).exists():
            yield relative


class _Listing:
    """What is to be copied, and what is not and why, as it is found."""

    def __init__(self, given: Path, tree: Path) -> None:
        self._given, self._real = given, given.resolve()
        self._tree = tree
        self._seen = 0
        self.items: dict[PurePosixPath, Item] = {}
        self.left_out: list[str] = []

    def take(
        self,
        source: Path,
        path: PurePosixPath,
        top: Path,
        *,
        links: int = 0,
        is_own: bool = False,
    ) -> None:
        """Take in a file or folder; a link that leads out of `top` as what it leads to.

        Of what is out of the folder that was given, only what everybody may read: whoever wrote a
        link, or a name, may mean to have a file of this host that is not theirs. `is_own`: it is
        in a folder that is known to be in the one that was given.
        """
        target = ""
        try:
            inner_path(path)
            if source.is_symlink():
                # As it is written, not as a path.
                target = link_target(os.readlink(source))  # noqa: PTH115
        except UnsafeNameError as error:
            self.left_out.append(f"{self._tree}: {error}")
            return
        if target:
            if not source.exists():
                self.left_out.append(f"{source}: a link that leads nowhere ({target})")
                return
            if not target.startswith("/") and source.resolve().is_relative_to(top.resolve()):
                self.items[path] = Item(path, link=target)
                return
            links += 1
            if links > _MOST_LINKS:
                self.left_out.append(f"{source}: links that lead to one another")
                return
        is_own = (is_own and not target) or source.resolve().is_relative_to(self._real)
        if not is_own and not self._is_everybodys(source):
            self.left_out.append(f"{source}: not everybody may read {source.resolve()}")
        elif source.is_dir():
            self._folder(source, path, top, links=links, is_own=is_own)
        elif source.is_file():
            place = path if path.parts else PurePosixPath(source.name)
            self.items[place] = Item(place, source=source)
        else:
            self.left_out.append(f"{source}: no plain file")

    def _folder(
        self, source: Path, path: PurePosixPath, top: Path, *, links: int, is_own: bool
    ) -> None:
        if path.name in _LEFT_OUT or (path.name.startswith("O.") and path.parts):
            return
        try:
            names = os.listdir(source)  # noqa: PTH208  # a list of paths takes long to sort
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"{source} cannot be read: {reason}; run this as one who may") from None
        self._count(len(names))
        for name in sorted(names):
            self.take(source / name, path / name, top, links=links, is_own=is_own)

    def _count(self, number: int) -> None:
        # Folders too: with links they may be in one another again and again.
        self._seen += number
        if self._seen > _MOST_FILES:
            raise UserError(
                f"{self._tree} holds more than {_MOST_FILES:,} files to copy; name a smaller folder"
            )

    def _is_everybodys(self, source: Path) -> bool:
        """Tell whether a file or folder may be taken from outside; `copy` asks again."""
        if source.is_file():
            try:
                os.close(open_named(source, top=self._given))
            except (OSError, UnsafeNameError):
                return False
            return True
        about = source.stat()
        return bool(about.st_mode & stat.S_IROTH)


def copy(plan: Plan, target: Path) -> None:
    """Make the copy, whole or not at all; `UserError` where something is in its place."""
    if target.exists() or target.is_symlink():
        raise UserError(f"{target} is there already; give another --name, or move it away")
    temporary = target.with_name(f".{target.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        place = EnclosedFolder(temporary)
        for item in plan.items:
            _lay(item, place, plan.given)
        temporary.rename(target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = (error.strerror or str(error)).lower()
        raise LinacreError(f"{error.filename or target} cannot be copied: {reason}") from error
    except UnsafeNameError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _lay(item: Item, place: EnclosedFolder, given: Path) -> None:
    if item.link is not None:
        place.link(item.path, item.link)
    elif item.source is not None:
        file = open_named(item.source, top=given)
        try:
            content = read_plain(file, limit=_LARGEST_BYTES, shown=str(item.source))
            mode = os.fstat(file).st_mode & 0o777 | 0o600
        finally:
            os.close(file)
        place.write(item.path, content, mode=mode, durable=False)
    else:
        place.write(item.path, (item.text or "").encode(), mode=item.mode, durable=False)
