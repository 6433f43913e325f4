"""Processes of the process engine: found by a mark in their environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from linacre.base.processes import ProcessId, ProcessStat

_PROC = Path("/proc")


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
            if (stat := ProcessStat.of(pid)) is None:
                continue
            parents[pid] = stat.parent
            for entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                if entry.startswith(key) and matches(os.fsdecode(entry[len(key) :])):
                    found[pid] = ProcessId.named(stat)
    kept = _lineage()
    return frozenset(p for p in _with_descendants(found, parents) if p.pid not in kept)


def _lineage() -> frozenset[int]:
    """Return this process and all above it."""
    found: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        stat = ProcessStat.of(pid)
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
    below = (ProcessId.of(pid) for pid in known - roots.keys())
    return frozenset(roots.values()) | frozenset(p for p in below if p is not None)


async def in_thread(variable: str, matches: Callable[[str], bool]) -> frozenset[ProcessId]:
    """Do `find_marked` beside the event loop, for it reads a file a process."""
    return await asyncio.to_thread(find_marked, variable, matches)
