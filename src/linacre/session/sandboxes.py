"""Which sandboxes a facility has on this host: each is a facility of its own to the engine."""

from __future__ import annotations

from pathlib import Path

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths, StatePaths
from linacre.declaration.models.values import SANDBOX_DOT
from linacre.session.state import (
    FacilityNote,
    SandboxNote,
    facility_folders,
    known_sandboxes,
    read_note,
)

_DECLARED = "declared"


def sandbox_name(facility: str, name: str) -> str:
    """Return the name that a sandbox has as a facility: no declared facility has it."""
    return f"{facility}{SANDBOX_DOT}{name}"


def declared_folder(paths: FacilityPaths) -> Path:
    """Return the folder of a sandbox's own facility file, and of the files of its IOCs."""
    return paths.root / _DECLARED


def folders_of(state: StatePaths, facility: str) -> list[str]:
    """Return the names of the sandboxes that have a folder here, whole or half made or removed."""
    head = sandbox_name(facility, "")
    return [
        name.removeprefix(head)
        for name in facility_folders(state)
        if name.startswith(head) and not _is_bare(state.facility(name))
    ]


def _is_bare(paths: FacilityPaths) -> bool:
    """Tell whether a folder has a lock alone: of a sandbox that was refused, or is no more."""
    return all(entry == paths.lock for entry in paths.root.iterdir())


def find_sandbox(state: StatePaths, facility: str, name: str) -> tuple[FacilityNote, SandboxNote]:
    """Return the notes of a sandbox; raise `UserError` with the names there are."""
    note = read_note(state.facility(sandbox_name(facility, name)))
    if note is None or note.sandbox is None:
        there = ", ".join(folders_of(state, facility)) or "none"
        raise UserError(f"{facility} has no sandbox {name}; it has: {there}")
    return note, note.sandbox


def is_expired(note: SandboxNote, now: float) -> bool:
    """Tell whether a sandbox's time is over; it runs on until somebody deletes it."""
    return note.expires_at is not None and note.expires_at <= now


def expired(state: StatePaths, now: float, *, facility: str | None = None) -> list[SandboxNote]:
    """Return the sandboxes whose time is over, of one facility or of all that this host knows."""
    notes = (note.sandbox for note in known_sandboxes(state, facility))
    return [note for note in notes if note is not None and is_expired(note, now)]


def expired_line(note: SandboxNote) -> str:
    """Return what to say of a sandbox whose time is over."""
    return (
        f"the time of {note.facility}'s sandbox {note.name} (of {note.owner}) is over: "
        "linacre sandbox delete --expired"
    )
