"""The end of an IOC: its entry, its machine with all data, and its files where that is wanted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import ADDRESS
from linacre.kinds.reports import listed_pvs
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.common import (
    machines_there,
    own_folder,
    quiet,
    shares_folder,
    with_declaration,
)
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.lock import FacilityLock
from linacre.session.roles import Pair, ioc_of, live_key, pairs
from linacre.session.session import Session

_ENTRY, _MACHINE, _FILES = "entry", "machine", "files"


@dataclass(frozen=True)
class Deleted:
    """An IOC that is gone."""

    ioc: str
    machine: str | None
    """Its machine, which is gone with its data; None where it had none."""
    entry: str
    """What stood in the facility file."""
    files: str | None
    """The folder with its own files; None where it had none of its own."""
    files_removed: bool


@dataclass(frozen=True)
class _Doomed:
    """What is to go."""

    name: str
    draft: Draft
    machine: Machine | None
    folder: Path | None
    """The folder of its own files, where it is to go too."""

    @property
    def is_declared(self) -> bool:
        return self.name in self.draft.declaration.facility.iocs


async def delete(
    session: Session, name: str, *, purge: bool, interaction: Interaction
) -> Deleted | None:
    """Remove an IOC with its machine and persistent folder, and with `purge` its own files.

    A deletion that was cut short is finished by the same command. Returns None where the person
    asked said no. Raises `UserError` where something starts after it, or it has a twin.
    """
    async with FacilityLock(session.paths, command=f"ioc delete {name}", clock=session.clock):
        found = draft(session.declaration)
        session = with_declaration(session, found.declaration)
        _check_unneeded(session, name)
        async with machines_there(session) as machines:
            pair = await _pair(session, name, machines)
            doomed = _doomed(session, found, name, machines.get(pair.live), purge=purge)
            lost = await _what_is_lost(session, doomed)
            if not _agreed(name, lost, interaction):
                return None
            session = await _carry_out(session, doomed, interaction)
    if await session.is_up():
        # The desks are to forget its name.
        await bring_up(session, UpOptions(only=frozenset()), quiet(interaction), verb="ioc delete")
    ioc = found.declaration.facility.iocs.get(name)
    folder = own_folder(session, ioc) if ioc is not None else None
    return Deleted(
        ioc=name,
        machine=doomed.machine.name if doomed.machine else None,
        entry=found.text.entry_of(name) if doomed.is_declared else "",
        files=None if folder is None else str(folder),
        files_removed=doomed.folder is not None,
    )


def _check_unneeded(session: Session, name: str) -> None:
    programs = session.declaration.facility.programs
    waiting = [other for other, program in programs.items() if name in program.after]
    if waiting:
        raise UserError(
            f"{', '.join(waiting)} start{'s' if len(waiting) == 1 else ''} after {name}; "
            "take it out of their after first"
        )


async def _pair(session: Session, name: str, machines: dict[str, Machine]) -> Pair:
    if not machines:
        found = Pair(name, name)
    else:
        found = pairs([name], machines, await session.engine.record())[name]
    if found.twin is not None:
        raise UserError(
            f"{name} has a twin: linacre ioc promote {name} keeps the live one, then delete it"
        )
    machine = machines.get(found.live)
    if machine is not None and ioc_of(machine) != name:
        raise UserError(f"{name} is the machine of no IOC, and stays; write the name of an IOC")
    if machine is None:
        session.check_ioc(name)
    return found


def _doomed(
    session: Session, found: Draft, name: str, machine: Machine | None, *, purge: bool
) -> _Doomed:
    ioc = found.declaration.facility.iocs.get(name)
    folder = own_folder(session, ioc) if ioc is not None and purge else None
    if folder is not None:
        if others := shares_folder(session, name):
            raise UserError(f"{folder} has the files of {', '.join(others)} too; leave --purge out")
        top = session.declaration.folder.resolve()
        if not folder.resolve().is_relative_to(top) or folder.resolve() == top:
            raise UserError(f"{folder} is not below the facility file's folder; leave --purge out")
    return _Doomed(name, found, machine, folder)


async def _what_is_lost(session: Session, doomed: _Doomed) -> list[str]:
    lines: list[str] = []
    if doomed.is_declared:
        entry = doomed.draft.text.entry_of(doomed.name)
        remarks = entry.count("#")
        comments = " with the comments in it" if remarks else ""
        place = session.declaration.where("iocs", doomed.name)
        lines.append(f"its entry of {entry.count(chr(10))} lines{comments} at {place}")
    if doomed.machine is not None:
        lines.append(await _machine_lost(session, doomed.machine))
    if doomed.folder is not None:
        count = sum(each.is_file() for each in doomed.folder.rglob("*"))
        files = "1 file" if count == 1 else f"{count} files"
        lines.append(f"its own {files} in {doomed.folder}")
    return lines


async def _machine_lost(session: Session, machine: Machine) -> str:
    line = f"the machine {machine.name} ({machine.labels.get(ADDRESS, '-')})"
    if machine.state is not MachineState.RUNNING or ADDRESS not in machine.labels:
        return f"{line}, its persistent folder and its log"
    address = IPv4Address(machine.labels[ADDRESS])
    served = await listed_pvs(session.engine, machine.name, address)
    if served:
        line += f", which serves {len(served)} PVs now"
    persist = session.engine.layout(machine.name, address).persist
    done = await session.engine.exec(machine.name, ["du", "-sk", str(persist)])
    size = done.stdout.split()[:1]
    held = f" ({int(size[0])} KiB)" if done.status == 0 and size and size[0].isdigit() else ""
    return f"{line}, its persistent folder{held} and its log"


def _agreed(name: str, lost: Sequence[str], interaction: Interaction) -> bool:
    if not interaction.asks:
        return True
    interaction.say(f"This removes for good, of {name}:")
    for line in lost:
        interaction.say(f"  - {line}")
    return interaction.confirm(f"Delete {name}?")


async def _carry_out(session: Session, doomed: _Doomed, interaction: Interaction) -> Session:
    """Remove the entry first: should this be cut short, nobody makes the machine anew."""
    steps: list[tuple[str, str]] = []
    if doomed.is_declared:
        steps.append((_ENTRY, f"take {doomed.name} out of {doomed.draft.declaration.file}"))
    if doomed.machine is not None:
        steps.append((_MACHINE, f"remove {doomed.machine.name} and its persistent folder"))
    if doomed.folder is not None:
        steps.append((_FILES, f"remove {doomed.folder}"))
    async with session.task(
        "ioc delete", detail=doomed.name, steps=steps, listener=interaction.listener
    ) as task:
        for key, _ in steps:
            await task.step_started(key)
            session = await _do(session, key, doomed)
            await task.step_done(key)
    return session


async def _do(session: Session, key: str, doomed: _Doomed) -> Session:
    if key == _ENTRY:
        declaration = doomed.draft.write(doomed.draft.text.remove(doomed.name))
        return with_declaration(session, declaration)
    if key == _MACHINE and doomed.machine is not None:
        await session.engine.delete(doomed.machine.name)
        await session.engine.set_record({live_key(doomed.name): None})
    elif key == _FILES and doomed.folder is not None:
        try:
            shutil.rmtree(doomed.folder)
        except OSError as error:
            raise LinacreError(f"{error.filename} cannot be removed: {error.strerror}") from error
    return session
