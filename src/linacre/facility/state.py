"""What this host remembers of a facility beside its engine: the way back to it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from linacre.base.errors import LinacreError
from linacre.base.paths import FacilityPaths, StatePaths


class Standing(StrEnum):
    """What was last asked of a facility."""

    UP = "up"
    DOWN = "down"


class FacilityNote(BaseModel):
    """Where a facility's declaration is and what runs it.

    No more than a way back: what the facility is stands in its file, and what there is of it in
    the engine.
    """

    model_config = ConfigDict(frozen=True)

    facility: str
    file: Path
    engine: str
    standing: Standing


def _note_file(paths: FacilityPaths) -> Path:
    return paths.root / "facility.json"


def read_note(paths: FacilityPaths) -> FacilityNote | None:
    """Return the note of a facility; None where this host knows none.

    Raises `LinacreError` where it is damaged.
    """
    file = _note_file(paths)
    try:
        return FacilityNote.model_validate_json(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise LinacreError(f"{file} cannot be read: remove it and run linacre up again") from error


def write_note(paths: FacilityPaths, note: FacilityNote) -> None:
    """Write the note of a facility, whole or not at all."""
    paths.root.mkdir(parents=True, exist_ok=True)
    file = _note_file(paths)
    temporary = file.with_suffix(".new")
    temporary.write_text(note.model_dump_json(indent=2) + "\n")
    temporary.replace(file)


def known_facilities(state: StatePaths) -> list[FacilityNote]:
    """Return the notes of the facilities of this host, by name."""
    if not state.facilities.is_dir():
        return []
    notes = [read_note(state.facility(entry.name)) for entry in state.facilities.iterdir()]
    return sorted((note for note in notes if note), key=lambda note: note.facility)
