"""The end of an archiver: its entry and its machine, and its data where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import kept_key
from linacre.kinds.archiver.files import DATA
from linacre.kinds.archiver.http import ask
from linacre.kinds.registry import ARCHIVER, kinds_of
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.common import machines_there, quiet, with_declaration
from linacre.operations.changes.new_archiver import SECTION
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.lock import FacilityLock
from linacre.session.session import Session

_ENTRY, _MACHINE = "entry", "machine"


@dataclass(frozen=True)
class DeletedArchiver:
    """An archiver that is gone."""

    archiver: str
    machine: bool
    """Whether it had a machine."""
    entry: str
    """What stood in the facility file."""
    has_kept_data: bool
    """Whether its data are still there: a new archiver of its name goes on with them."""


@dataclass(frozen=True)
class _Doomed:
    name: str
    draft: Draft
    machine: Machine | None
    is_kept: bool
    """Whether there are data of one that was deleted before."""
    purge: bool

    @property
    def is_declared(self) -> bool:
        return self.name in self.draft.declaration.facility.archivers


async def delete_archiver(
    session: Session, name: str, *, purge: bool, interaction: Interaction
) -> DeletedArchiver | None:
    """Remove an archiver with its machine, and with `purge` its data.

    Also finishes a deletion that was cut short, and with `purge` removes data that one left.
    Returns None where the person asked said no. Raises `UserError` where something starts after
    it, or there is nothing of it.
    """
    async with FacilityLock(session.paths, command=f"archiver delete {name}", clock=session.clock):
        found = draft(session.declaration)
        session = with_declaration(session, found.declaration)
        _check_unneeded(session, name)
        async with machines_there(session) as machines:
            record = await session.engine.record() if await session.engine.exists() else {}
            machine = machines.get(name)
            if machine is not None and kinds_of(session).of(machine) is not ARCHIVER:
                raise UserError(f"{name} is no archiver, and stays; it is: {machine.kind}")
            doomed = _Doomed(name, found, machine, kept_key(name) in record, purge)
            _check_there(session, doomed)
            if not await _agreed(session, doomed, interaction):
                return None
            session = await _carry_out(session, doomed, interaction)
    if await session.is_up():
        # The desks are to forget its name.
        await bring_up(
            session, UpOptions(only=frozenset()), quiet(interaction), verb="archiver delete"
        )
    return DeletedArchiver(
        archiver=name,
        machine=machine is not None,
        entry=found.text.of(SECTION).entry_of(name) if doomed.is_declared else "",
        has_kept_data=not purge and (machine is not None or doomed.is_kept),
    )


def _check_unneeded(session: Session, name: str) -> None:
    programs = session.declaration.facility.programs
    if waiting := [other for other, program in programs.items() if name in program.after]:
        raise UserError(
            f"{', '.join(waiting)} start{'s' if len(waiting) == 1 else ''} after {name}; "
            "take it out of their after first"
        )


def _check_there(session: Session, doomed: _Doomed) -> None:
    if doomed.is_declared or doomed.machine is not None or (doomed.is_kept and doomed.purge):
        return
    if doomed.is_kept:
        raise UserError(
            f"{doomed.name} is deleted, and its data are kept: linacre archiver create "
            f"{doomed.name} goes on with them, and --purge removes them"
        )
    there = ", ".join(session.declaration.facility.archivers) or "none"
    raise UserError(f"{session.name} has no archiver {doomed.name}; it has: {there}")


async def _agreed(session: Session, doomed: _Doomed, interaction: Interaction) -> bool:
    if not interaction.asks:
        return True
    name = doomed.name
    interaction.say(f"This removes, of the archiver {name}:")
    for line in await _what_is_lost(session, doomed):
        interaction.say(f"  - {line}")
    if not doomed.purge and doomed.machine is not None:
        interaction.say(
            f"Its data are kept: a new archiver {name} goes on with them, and linacre archiver "
            f"delete {name} --purge removes them."
        )
    return interaction.confirm(f"Delete {name}?")


async def _what_is_lost(session: Session, doomed: _Doomed) -> Sequence[str]:
    lines: list[str] = []
    if doomed.is_declared:
        entry = doomed.draft.text.of(SECTION).entry_of(doomed.name)
        comments = " with the comments in it" if "#" in entry else ""
        place = session.declaration.where(SECTION, doomed.name)
        lines.append(f"its entry of {entry.count(chr(10))} lines{comments} at {place}")
    if doomed.machine is not None:
        lines.append(f"its machine with its log{await _archives(session, doomed.machine)}")
    if doomed.purge:
        held = await _held(session, doomed)
        lines.append(f"its data{held}, for good")
    return lines


async def _archives(session: Session, machine: Machine) -> str:
    if machine.state is not MachineState.RUNNING:
        return ""
    try:
        info = await ask(session.engine, machine.name, "", limit_s=2.0)
    except LinacreError:
        return ""
    taking = "" if info["read_only"] else ", which takes samples now"
    return f"{taking} ({info['connected']} of {info['pvs']} PVs connected)"


async def _held(session: Session, doomed: _Doomed) -> str:
    archiver = doomed.draft.declaration.facility.archivers.get(doomed.name)
    machine = doomed.machine
    if archiver is None or machine is None or machine.state is not MachineState.RUNNING:
        return ""
    folder = session.engine.layout(doomed.name, archiver.address).persist / DATA
    done = await session.engine.exec(doomed.name, ["du", "-sk", str(folder)])
    size = done.stdout.split()[:1]
    return f" ({int(size[0])} KiB)" if done.status == 0 and size and size[0].isdigit() else ""


async def _carry_out(session: Session, doomed: _Doomed, interaction: Interaction) -> Session:
    """Remove the entry first: should this be cut short, nobody makes the machine anew."""
    steps: list[tuple[str, str]] = []
    if doomed.is_declared:
        steps.append((_ENTRY, f"take {doomed.name} out of {doomed.draft.declaration.file}"))
    if doomed.machine is not None or (doomed.is_kept and doomed.purge):
        what = "and its data" if doomed.purge else "; its data are kept"
        steps.append((_MACHINE, f"remove the machine {doomed.name} {what}".replace(" ;", ";")))
    async with session.task(
        "archiver delete", detail=doomed.name, steps=steps, listener=interaction.listener
    ) as task:
        for key, _ in steps:
            await task.step_started(key)
            session = await _do(session, key, doomed)
            await task.step_done(key)
    return session


async def _do(session: Session, key: str, doomed: _Doomed) -> Session:
    if key == _ENTRY:
        text = doomed.draft.text.of(SECTION).remove(doomed.name)
        return with_declaration(session, doomed.draft.write(text))
    engine = session.engine
    kept = None
    if not doomed.purge:
        # Before the machine goes: what is kept must be known as such whatever comes between.
        kept = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.clock.now()))
        await engine.set_record({kept_key(doomed.name): kept})
    await engine.delete(doomed.name, keep_persistent=not doomed.purge)
    if doomed.purge:
        await engine.set_record({kept_key(doomed.name): None})
    return session
