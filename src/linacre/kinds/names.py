"""What the patterns of PVs in a declaration mean, by the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from linacre.base.errors import UserError
from linacre.kinds.maker import Names
from linacre.kinds.registry import kinds_of
from linacre.session.session import Session

_MOST = 200_000
"""Far more than one archiver takes; a pattern for more is a mistake."""


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


async def names_declared(session: Session, only: Collection[str] | None = None) -> Names:
    """Return what the patterns mean of all that is declared, or of what has one of these names."""
    folder = session.declaration.folder
    programs = kinds_of(session).programs(session.declaration.facility)
    found = (
        kind.patterns(item, folder) for kind, name, item in programs if only is None or name in only
    )
    return await names_of(session, dict.fromkeys(each for patterns in found for each in patterns))
