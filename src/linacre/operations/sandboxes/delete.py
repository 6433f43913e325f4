"""Removing sandboxes, with all that was changed in them."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.base.errors import UserError
from linacre.base.listing import counted
from linacre.observing.sandboxes import SandboxRow, Stage, show_sandbox
from linacre.operations.interaction import Interaction
from linacre.operations.take_down import purge
from linacre.session.sandboxes import expired, sandbox_name
from linacre.session.session import FacilityHandle, open_handle
from linacre.session.state import FacilityNote, Standing, read_note


@dataclass(frozen=True)
class DeletedSandboxes:
    """What was removed."""

    removed: tuple[str, ...]


async def delete(
    handle: FacilityHandle, names: tuple[str, ...], interaction: Interaction
) -> DeletedSandboxes | None:
    """Remove sandboxes of a facility for good; one half made or half removed too.

    Returns None where the person asked said no. Raises `UserError` for a name that none has.
    """
    rows = [await show_sandbox(handle, name) for name in dict.fromkeys(names)]
    if not rows:
        raise UserError("write the sandbox to delete, or --expired")
    if not interaction.confirm(_question(rows)):
        return None
    for row in rows:
        await purge(_handle_of(handle, row))
    return DeletedSandboxes(tuple(row.name for row in rows))


async def delete_expired(
    handle: FacilityHandle, interaction: Interaction
) -> DeletedSandboxes | None:
    """Remove the sandboxes whose time is over; a daemon to come may call this without asking."""
    over = expired(handle.state, handle.clock.now(), facility=handle.name)
    names = tuple(note.name for note in over)
    return await delete(handle, names, interaction) if names else DeletedSandboxes(())


def _question(rows: list[SandboxRow]) -> str:
    lines = ["This removes for good:"]
    for row in rows:
        whose = f" of {row.owner}" if row.owner else ""
        iocs = counted(len(row.iocs), "IOC")
        what = f"{iocs} with set points and data" if row.iocs else "the rest"
        if row.stage in (Stage.UP, Stage.DOWN):
            what += f", files changed in {row.folder}"
        lines.append(f"  - {row.name}{whose}: {what}")
    return "\n".join([*lines, "Remove it all?"])


def _handle_of(handle: FacilityHandle, row: SandboxRow) -> FacilityHandle:
    name = sandbox_name(handle.name, row.name)
    paths = handle.state.facility(name)
    note = read_note(paths)
    if note is None:
        # The engine's part is gone, or nothing was ever made: what is left is found by its name.
        note = FacilityNote(
            facility=name, file=paths.root / "gone", engine="incus", standing=Standing.DOWN
        )
    return open_handle(note, state=handle.state, clock=handle.clock, kinds=handle.kinds)
