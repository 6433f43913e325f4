"""Processes of this host, named so that a reused process id is never taken for the old one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from linacre.base.clock import Clock
from linacre.base.errors import EngineError

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_POLL_S = 0.01


@dataclass(frozen=True)
class ProcessId:
    """One process, told from any other that ever had its id."""

    pid: int
    started: int
    """Clock ticks after boot: field 22 of /proc/<pid>/stat."""

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return _alive_with(self.pid) == self


@dataclass(frozen=True)
class _Stat:
    pid: int
    state: str
    parent: int
    started: int


def _parse(text: str) -> _Stat:
    # The command's name stands in brackets and may itself hold blanks and brackets.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return _Stat(int(head.split(" ", 1)[0]), fields[0], int(fields[1]), int(fields[19]))


def _stat(pid: int) -> _Stat | None:
    try:
        return _parse((_PROC / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, ValueError, IndexError):
        return None


def _alive_with(pid: int) -> ProcessId | None:
    found = _stat(pid)
    if found is None or found.state in "ZX":
        return None
    return ProcessId(pid, found.started)


def read_stamp(path: Path) -> ProcessId | None:
    """Return the process whose stamp stands in a file, if it is one of this boot.

    The stamp is /proc/<pid>/stat followed by the boot id, each on a line.
    """
    try:
        stat, boot = path.read_text(errors="replace").strip().rsplit("\n", 1)
        if boot.strip() != _BOOT_ID.read_text().strip():
            return None
        found = _parse(stat)
    except (OSError, ValueError, IndexError):
        return None
    return ProcessId(found.pid, found.started)


def _own_pids() -> Iterator[int]:
    uid = os.geteuid()
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            with suppress(OSError):
                if entry.stat().st_uid == uid:
                    yield int(entry.name)


def find_marked(variable: str, matches: Callable[[str], bool]) -> frozenset[ProcessId]:
    """Return this user's processes with an environment variable of a matching value.

    The environment is that at the program's start; descendants are found whatever theirs is.
    This process and those that it runs under are never among them.
    """
    key = variable.encode() + b"="
    parents: dict[int, int] = {}
    found: dict[int, ProcessId] = {}
    for pid in _own_pids():
        with suppress(OSError):
            if (stat := _stat(pid)) is None or stat.state in "ZX":
                continue
            parents[pid] = stat.parent
            for entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                if entry.startswith(key) and matches(os.fsdecode(entry[len(key) :])):
                    found[pid] = ProcessId(pid, stat.started)
    kept = _lineage()
    return frozenset(p for p in _with_descendants(found, parents) if p.pid not in kept)


def _lineage() -> frozenset[int]:
    """Return this process and all above it."""
    found: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        stat = _stat(pid)
        pid = stat.parent if stat is not None else 0
    return frozenset(found)


def _with_descendants(roots: dict[int, ProcessId], parents: dict[int, int]) -> frozenset[ProcessId]:
    """Return processes and the living ones below them, by the parents seen."""
    known, waiting = set(roots), list(roots)
    while waiting:
        parent = waiting.pop()
        for pid in [p for p, above in parents.items() if above == parent and p not in known]:
            known.add(pid)
            waiting.append(pid)
    below = (_alive_with(pid) for pid in known - roots.keys())
    return frozenset(roots.values()) | frozenset(p for p in below if p is not None)


def send(process: ProcessId, number: signal.Signals) -> None:
    """Send a signal to this very process; one that is gone is no error."""
    with suppress(ProcessLookupError):
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return
        except OSError:  # a container may forbid pidfd_open
            if process.alive:
                os.kill(process.pid, number)
            return
        try:
            # Once the descriptor is open it cannot come to mean another process.
            if process.alive:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


async def gone(processes: Iterable[ProcessId], *, clock: Clock, timeout_s: float) -> bool:
    """Wait until none of the processes runs; return False when time is up."""
    limit = clock.monotonic() + timeout_s
    left = list(processes)
    while left := [p for p in left if p.alive]:
        if clock.monotonic() >= limit:
            return False
        await clock.sleep(_POLL_S)
    return True


async def end(processes: frozenset[ProcessId], *, clock: Clock, timeout_s: float) -> None:
    """End processes: SIGTERM, and SIGKILL for those that run on after the time given.

    `EngineError` for one that even SIGKILL does not end.
    """
    for process in processes:
        send(process, signal.SIGTERM)
    if await gone(processes, clock=clock, timeout_s=timeout_s):
        return
    for process in processes:
        send(process, signal.SIGKILL)
    if not await gone(processes, clock=clock, timeout_s=10.0):
        left = ", ".join(str(p.pid) for p in processes if p.alive)
        raise EngineError(
            f"process {left} does not end even by SIGKILL: it waits for the kernel (a device, "
            f"a network file system); see /proc/{left.split(',')[0]}/stack as root"
        )


async def in_thread(variable: str, matches: Callable[[str], bool]) -> frozenset[ProcessId]:
    """Do `find_marked` beside the event loop, for it reads a file a process."""
    return await asyncio.to_thread(find_marked, variable, matches)
