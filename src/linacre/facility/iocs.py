"""One IOC at a time: starting, stopping, restarting, and what it runs against what is declared."""

from __future__ import annotations

import difflib
import io
import tarfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.engines.base import Machine, MachineSpec, MachineState
from linacre.facility.prospect import UpOptions, look_ahead
from linacre.facility.reports import wait_until_booted
from linacre.facility.session import Session

_LARGEST_SHOWN = 200_000


class Verb(StrEnum):
    """What is done to an IOC."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


async def act(
    session: Session,
    verb: Verb,
    name: str,
    *,
    twin: bool = False,
    listener: TaskListener | None = None,
) -> bool:
    """Start, stop or restart one IOC, or its twin, as a task; return False where it was so already.

    Starting and stopping are the machine's; a restart is the IOC's and its procServ's alone.
    Waits until the IOC has booted. Raises `LinacreError` where it does not run or does not boot.
    """
    session.check_ioc(name)
    async with session.changing(f"ioc {verb} {name}"):
        machine = await existing_machine(session, name, twin=twin)
        running = machine.state is MachineState.RUNNING
        if verb is Verb.RESTART and not running:
            raise LinacreError(_not_running(name, twin=twin))
        if (verb is Verb.START and running) or (verb is Verb.STOP and not running):
            return False
        key = f"{verb} {machine.name}"
        async with session.task(
            f"ioc {verb}", detail=machine.name, steps=[(key, key)], listener=listener
        ) as task:
            await task.step_started(key)
            await _do(session, verb, name, machine.name)
            await task.step_done(key)
    return True


async def _do(session: Session, verb: Verb, ioc: str, machine: str) -> None:
    engine = session.engine
    match verb:
        case Verb.START:
            await engine.start(machine)
        case Verb.STOP:
            await engine.stop(machine)
        case Verb.RESTART:
            await engine.restart_program(machine)
    if verb is not Verb.STOP:
        address = session.declaration.facility.iocs[ioc].address
        await wait_until_booted(engine, machine, address, clock=session.clock, limit_s=60)


async def existing_machine(session: Session, ioc: str, *, twin: bool = False) -> Machine:
    """Return a machine of a declared IOC, the live one or its twin; the engine is open."""
    pair = await session.pair(ioc)
    if twin and pair.twin is None:
        raise UserError(f"{ioc} has no twin: linacre ioc twin {ioc} makes one")
    machine = (await session.machines()).get(pair.twin if twin and pair.twin else pair.live)
    if machine is None:
        raise LinacreError(f"{ioc} has no machine yet: run linacre up")
    return machine


async def running_machine(session: Session, ioc: str, *, twin: bool = False) -> Machine:
    """Return a machine of a declared IOC; raise `LinacreError` where it does not run."""
    machine = await existing_machine(session, ioc, twin=twin)
    if machine.state is not MachineState.RUNNING:
        raise LinacreError(_not_running(ioc, twin=twin))
    return machine


def _not_running(ioc: str, *, twin: bool) -> str:
    of, option = ("the twin of ", " --twin") if twin else ("", "")
    return f"{of}{ioc} does not run: start it with linacre ioc start {ioc}{option}"


class Change(StrEnum):
    """How a file in a machine differs from the declared one."""

    ADDED = "added"
    """Declared, and not in the machine yet."""
    REMOVED = "removed"
    """In the machine, and no longer declared."""
    CHANGED = "changed"


@dataclass(frozen=True)
class FileDifference:
    """One file that differs; `text` is a unified diff from what runs to what is declared."""

    path: str
    change: Change
    text: str


async def differences(session: Session, name: str, *, twin: bool = False) -> list[FileDifference]:
    """Return how the files in a running machine differ from those declared; the engine is open."""
    machine = await running_machine(session, name, twin=twin)
    prospect = await look_ahead(session, UpOptions())
    spec = prospect.declared.iocs[name]
    ioc = session.declaration.facility.iocs[name]
    layout = session.engine.layout(name, ioc.address)
    kept = tuple(PurePosixPath(str(folder)) for folder in ioc.persistent)
    declared = _declared_files(spec, layout.tree)
    there = await _files_inside(session, machine.name, layout.tree)
    found: list[FileDifference] = []
    for path in sorted(declared.keys() | there.keys()):
        if any(PurePosixPath(path).is_relative_to(folder) for folder in kept):
            continue
        old, new = there.get(path), declared.get(path)
        if old != new:
            found.append(_difference(path, old, new))
    return found


def _declared_files(spec: MachineSpec, tree: PurePosixPath) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for file in spec.payload.files:
        if not file.path.is_relative_to(tree) or file.path == tree:
            continue
        content = file.source.read_bytes() if file.source else file.data
        if file.link is not None:
            content = f"link to {file.link}\n".encode()
        if content is not None:
            files[str(file.path.relative_to(tree))] = content
    return files


async def _files_inside(session: Session, name: str, tree: PurePosixPath) -> dict[str, bytes]:
    argv = ["tar", "--create", "--file=-", f"--directory={tree}", "."]
    done = await session.engine.exec(name, argv)
    if done.status != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise LinacreError(
            f"the files of {name} cannot be read: {said[0] if said else 'no reason'}"
        )
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            if member.isreg() and (opened := archive.extractfile(member)) is not None:
                files[path] = opened.read()
            elif member.issym():
                files[path] = f"link to {member.linkname}\n".encode()
    return files


def _difference(path: str, old: bytes | None, new: bytes | None) -> FileDifference:
    change = Change.CHANGED
    if old is None or new is None:
        change = Change.ADDED if old is None else Change.REMOVED
    return FileDifference(path, change, _unified(path, old or b"", new or b""))


def _unified(path: str, old: bytes, new: bytes) -> str:
    if max(len(old), len(new)) > _LARGEST_SHOWN or b"\0" in old + new:
        return f"binary or large: {len(old)} bytes run, {len(new)} bytes declared\n"
    lines = difflib.unified_diff(
        old.decode(errors="replace").splitlines(keepends=True),
        new.decode(errors="replace").splitlines(keepends=True),
        fromfile=f"running/{path}",
        tofile=f"declared/{path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
