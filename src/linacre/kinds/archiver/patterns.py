"""What archivers are to archive: the names that they give, and those that their patterns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration.models import Archiver
from linacre.declaration.models.archiver_values import is_pattern, parted_pv, read_pvs
from linacre.session.session import Session

_MOST = 200_000
"""Far more than one archiver takes; a pattern for more is a mistake."""
Names = Mapping[str, tuple[str, ...]]
"""For each pattern, the names of the PVs that it means."""


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

    What is said first of a name counts. A pattern that means nothing gives nothing.
    """
    found: dict[str, str] = {}
    for each in said:
        before, name, behind = parted_pv(each)
        before = before or ("" if protocol == "ca" else f"{protocol}://")
        for one in names.get(name, ()) if is_pattern(name) else (name,):
            found.setdefault(one, f"{before}{one}{behind}")
    return tuple(found.values())


async def names_of(session: Session, patterns: Iterable[str]) -> Names:
    """Return what patterns mean by the catalogue; nothing where the facility has none yet."""
    wanted = tuple(patterns)
    place = session.catalogue_place
    if not wanted or (isinstance(place, Path) and not place.exists()):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    async with session.catalogue_open() as catalogue:
        inventory = catalogue.inventory(session.name)
        for pattern in wanted:
            hits = await inventory.find(pattern, limit=_MOST)
            if hits.more:
                raise UserError(f"{pattern} means more than {_MOST} PVs; write a narrower pattern")
            found[pattern] = tuple(dict.fromkeys(match.pv for match in hits.matches if match.pv))
    return found


async def names_declared(session: Session) -> Names:
    """Return what the patterns of all declared archivers mean."""
    folder = session.declaration.folder
    said = (said_pvs(each, folder) for each in session.declaration.facility.archivers.values())
    return await names_of(session, patterns_of(pv for pvs in said for pv in pvs))
