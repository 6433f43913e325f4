"""What archivers are to archive: the names that they give, and those that their patterns mean."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from linacre.declaration.models import Archiver
from linacre.declaration.models.archiver_values import (
    can_be_archived,
    is_pattern,
    parted_pv,
    read_pvs,
)
from linacre.kinds.maker import Names

WHY_NOT_ARCHIVED = "a name with * or ? in it, white space, or more than 256 bytes"
"""Of a name that a pattern means; behind a colon."""


def said_pvs(archiver: Archiver, folder: Path) -> tuple[str, ...]:
    """Return all that an archiver is said to take, patterns among it; files are beside `folder`."""
    from_file = ()
    if archiver.pvs_file is not None:
        from_file = read_pvs((folder / archiver.pvs_file).read_text())
    return (*archiver.pvs, *from_file)


def patterns_of(said: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns in what is said of PVs, each once."""
    names = (parted_pv(each)[1] for each in said)
    return tuple(dict.fromkeys(name for name in names if is_pattern(name)))


def meant(pvs: Iterable[str], said: Iterable[str]) -> list[str]:
    """Return those of some names that are said of PVs, by themselves or by a pattern."""
    wanted = {parted_pv(each)[1] for each in said}
    patterns = [each for each in wanted if is_pattern(each)]
    return [pv for pv in pvs if pv in wanted or any(fnmatchcase(pv, each) for each in patterns)]


def archived_pvs(said: Iterable[str], names: Names, *, protocol: str) -> tuple[str, ...]:
    """Return PVs as the archiver's program takes them, each once: `NAME`, `pva://NAME scan 10`.

    What is said first of a name counts. A pattern that means nothing gives nothing, and names that
    no archiver takes are left out of what a pattern means: see `left_out`.
    """
    found: dict[str, str] = {}
    for each in said:
        before, name, behind = parted_pv(each)
        before = before or ("" if protocol == "ca" else f"{protocol}://")
        for one in filter(can_be_archived, names.get(name, ())) if is_pattern(name) else (name,):
            found.setdefault(one, f"{before}{one}{behind}")
    return tuple(found.values())


def left_out(said: Iterable[str], names: Names) -> list[str]:
    """Return the names that patterns mean and no archiver takes, sorted."""
    meant_by = (one for name in patterns_of(said) for one in names.get(name, ()))
    return sorted({one for one in meant_by if not can_be_archived(one)})
