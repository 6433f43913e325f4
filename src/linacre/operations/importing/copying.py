"""Copying the files of an IOC beside the facility file; where they come from stays untouched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import EnclosedFolder, UnsafeNameError, open_named, read_plain
from linacre.base.errors import LinacreError, UserError
from linacre.operations.importing.findings import Where
from linacre.operations.importing.listing import MOST_LINKS, Item, Listing
from linacre.operations.importing.matching import matching
from linacre.operations.importing.places import joined
from linacre.operations.importing.understood import Understood

_LARGEST_BYTES = 2 << 30


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
    listing = Listing(understood.given, tree)
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
        for _ in range(MOST_LINKS):
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
        tops |= {
            PurePosixPath("iocBoot", each.name): None
            for each in matching(boot, "*", given=understood.given)
            if each.is_file()
        }
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
