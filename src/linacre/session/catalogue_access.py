"""The catalogue of a facility, found without its engine: it answers whatever that does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError
from linacre.base.paths import FacilityPaths, StatePaths
from linacre.session.find import find_facility
from linacre.session.state import FacilityNote, known_facilities, noted_ns

if TYPE_CHECKING:
    from linacre.catalogue.catalogue import Catalogue


@dataclass(frozen=True)
class KnownFacility:
    """A facility that this host has a catalogue of."""

    name: str
    file: Path
    paths: FacilityPaths
    catalogue: Path | str
    """A file of this host, or the URL of a database."""

    @asynccontextmanager
    async def catalogue_open(self) -> AsyncGenerator[Catalogue]:
        """Open the catalogue for the block."""
        # It imports SQLAlchemy, in a fifth of a second.
        from linacre.catalogue.catalogue import Catalogue

        async with await Catalogue.open(self.catalogue, logs=self.paths.logs) as catalogue:
            yield catalogue


def known_facility(given: Path | None, *, state: StatePaths, folder: Path) -> KnownFacility:
    """Return the facility that a command means, as `open_session` does.

    Raises `LinacreError` where nothing was done with it on this host yet.
    """
    notes = known_facilities(state)
    choice = find_facility(given, here=folder, up=lambda: [note.facility for note in notes])
    note = next((note for note in notes if _is_meant(note, choice.name, choice.file)), None)
    if note is not None:
        return _known(note.facility, note.file, _url(note, state), state)
    # A file that was moved, or that nothing was done with: only its text says whose it is.
    from linacre.declaration.load import load

    assert choice.file is not None
    facility = load(choice.file).facility
    return _known(facility.facility, choice.file, facility.catalogue, state)


def _url(note: FacilityNote, state: StatePaths) -> str | None:
    """Return the catalogue's URL as it was noted, or as the file says that was changed since.

    A file that is gone or has faults now stops no search.
    """
    noted_at = noted_ns(state.facility(note.facility))
    with contextlib.suppress(OSError, LinacreError):
        if note.file.stat().st_mtime_ns >= noted_at:
            from linacre.declaration.load import load

            return load(note.file).facility.catalogue
    return note.catalogue


def _is_meant(note: FacilityNote, name: str | None, file: Path | None) -> bool:
    return note.facility == name or (file is not None and note.file == file.absolute())


def _known(name: str, file: Path, url: str | None, state: StatePaths) -> KnownFacility:
    paths = state.facility(name)
    if url is None and not paths.catalogue.exists():
        raise LinacreError(
            f"{name} has no catalogue on this host: linacre up begins one, and "
            "linacre catalogue rebuild makes it anew where the facility is up"
        )
    return KnownFacility(name, file, paths, url or paths.catalogue)
