"""The sandboxes of a facility, as this host knows them: no daemon is started to look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from linacre.base.errors import LinacreError
from linacre.declaration.load import load
from linacre.session.choose import noted_engine
from linacre.session.sandboxes import find_sandbox, folders_of, is_expired, sandbox_name
from linacre.session.session import FacilityHandle
from linacre.session.state import FacilityNote, SandboxNote, Standing, read_note


class Stage(StrEnum):
    """How far a sandbox is."""

    UP = "up"
    DOWN = "down"
    CUT_SHORT = "cut short"
    """Its making was cut short: the same command again begins it anew."""
    HALF_REMOVED = "half removed"
    """Its removal was cut short: the same command again finishes it."""


@dataclass(frozen=True)
class SandboxRow:
    """One sandbox."""

    name: str
    stage: Stage
    owner: str = ""
    made_at: float | None = None
    """Seconds since the Unix epoch."""
    expires_at: float | None = None
    is_expired: bool = False
    state_at: float | None = None
    """Of when its files and set points are; None is of when it was made."""
    iocs: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    """The subnets by which clients of this host reach its networks."""
    folder: str = ""
    """With its own facility file."""


async def list_sandboxes(handle: FacilityHandle) -> list[SandboxRow]:
    """Return the sandboxes of a facility, by name."""
    return [await _row(handle, name) for name in folders_of(handle.state, handle.name)]


async def show_sandbox(handle: FacilityHandle, name: str) -> SandboxRow:
    """Return one sandbox; raise `UserError` with the names there are."""
    if name not in folders_of(handle.state, handle.name):
        find_sandbox(handle.state, handle.name, name)
    return await _row(handle, name)


async def _row(handle: FacilityHandle, name: str) -> SandboxRow:
    note = read_note(handle.state.facility(sandbox_name(handle.name, name)))
    if note is None or note.sandbox is None:
        return SandboxRow(name, Stage.HALF_REMOVED)
    about = note.sandbox
    return SandboxRow(
        name=name,
        stage=await _stage(handle, note, about),
        owner=about.owner,
        made_at=about.made_at,
        expires_at=about.expires_at,
        is_expired=is_expired(about, handle.clock.now()),
        state_at=about.state_at,
        iocs=_iocs(note),
        access=about.access,
        folder=str(note.file.parent),
    )


async def _stage(handle: FacilityHandle, note: FacilityNote, about: SandboxNote) -> Stage:
    if not about.is_whole:
        return Stage.CUT_SHORT
    if note.standing is Standing.DOWN:
        return Stage.DOWN
    there = await noted_engine(note, handle.state.facility(note.facility)).exists()
    return Stage.UP if there else Stage.DOWN


def _iocs(note: FacilityNote) -> tuple[str, ...]:
    """Return the IOCs that a sandbox's own file declares; none where it has faults now."""
    try:
        return tuple(load(note.file).facility.iocs)
    except LinacreError:
        return ()
