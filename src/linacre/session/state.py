"""What this host remembers of a facility beside its engine: the way back to it."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from linacre.base.errors import LinacreError
from linacre.base.paths import FacilityPaths, StatePaths


class Standing(StrEnum):
    """What was last asked of a facility."""

    UP = "up"
    DOWN = "down"


class RemoteNote(BaseModel):
    """The Incus server elsewhere that a facility runs on."""

    model_config = ConfigDict(frozen=True)

    url: str
    certificate: Path
    key: Path
    server_certificate: Path | None = None


class SandboxNote(BaseModel):
    """What a sandbox is a copy of, whose it is, and until when."""

    model_config = ConfigDict(frozen=True)

    facility: str
    name: str
    owner: str
    made_at: float
    """Seconds since the Unix epoch."""
    expires_at: float | None = None
    """Seconds since the Unix epoch; None has no end."""
    state_at: float | None = None
    """Of when its files and set points are; None is of when it was made."""
    access: tuple[str, ...] = ()
    """The subnets by which clients of this host reach its networks."""
    is_whole: bool = False
    """Whether its making came to its end."""


NOTE_FORMAT = 1
"""Raised when an older Linacre could no longer look after what a newer one keeps here."""


class FacilityNote(BaseModel):
    """Where a facility's declaration is and what runs it.

    No more than a way back: what the facility is stands in its file, and what there is of it in
    the engine.
    """

    model_config = ConfigDict(frozen=True)

    format: int = NOTE_FORMAT
    facility: str
    file: Path
    engine: str
    standing: Standing
    autostart: bool = False
    """Whether the last `up` found it marked so."""
    remote: RemoteNote | None = None
    """Where its engine is, if not on this host: the file may be out of reach when it is needed."""
    catalogue: str | None = None
    """The URL of its catalogue; None for the file beside this note."""
    sandbox: SandboxNote | None = None
    """What it is a copy of, where it is a sandbox."""


def note_file(paths: FacilityPaths) -> Path:
    """Return the file of a facility's note."""
    return paths.root / "facility.json"


def read_note(paths: FacilityPaths) -> FacilityNote | None:
    """Return the note of a facility; None where this host knows none.

    Raises `LinacreError` where it is damaged.
    """
    file = note_file(paths)
    try:
        text = file.read_text()
        _check_format(file, text)
        return FacilityNote.model_validate_json(text)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise LinacreError(f"{file} cannot be read: remove it and run linacre up again") from error


class _Format(BaseModel):
    format: int = NOTE_FORMAT


def _check_format(file: Path, text: str) -> None:
    """Refuse what a newer Linacre keeps, before anything of it is taken for damaged."""
    found = _Format.model_validate_json(text).format
    if found > NOTE_FORMAT:
        raise LinacreError(
            f"{file.parent} is kept by a newer Linacre (format {found}, this one knows up to "
            f"{NOTE_FORMAT}): use that Linacre; its machines run on"
        )


def write_note(paths: FacilityPaths, note: FacilityNote) -> None:
    """Write the note of a facility, whole or not at all."""
    paths.root.mkdir(parents=True, exist_ok=True)
    file = note_file(paths)
    temporary = file.with_suffix(".new")
    with temporary.open("w") as opened:
        opened.write(note.model_dump_json(indent=2) + "\n")
        opened.flush()
        # After a power cut it is the only way back to the facility.
        os.fsync(opened.fileno())
    temporary.replace(file)


def noted_ns(paths: FacilityPaths) -> int:
    """Return when the note of a facility was written, as its file has it; `OSError` without one."""
    return note_file(paths).stat().st_mtime_ns


def known_facilities(state: StatePaths) -> list[FacilityNote]:
    """Return the notes of the facilities of this host, by name; sandboxes are not among them."""
    return [note for note in _notes(state) if note.sandbox is None]


def known_sandboxes(state: StatePaths, facility: str | None = None) -> list[FacilityNote]:
    """Return the notes of the sandboxes of a facility, or of all, by name."""
    return [
        note
        for note in _notes(state)
        if note.sandbox is not None and facility in (None, note.sandbox.facility)
    ]


def _notes(state: StatePaths) -> list[FacilityNote]:
    notes = [read_note(state.facility(name)) for name in facility_folders(state)]
    return sorted((note for note in notes if note), key=lambda note: note.facility)


def facility_folders(state: StatePaths) -> list[str]:
    """Return the names of the facilities that have a folder on this host."""
    if not state.facilities.is_dir():
        return []
    return sorted(entry.name for entry in state.facilities.iterdir() if entry.is_dir())
