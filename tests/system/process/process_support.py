"""What the tests of the process engine look at and wait for."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from linacre.base.paths import FacilityPaths
from linacre.engines.base import Stream

PYTHON = sys.executable


def marked(paths: FacilityPaths) -> list[int]:
    """Return the ids of all living processes that belong to a facility's machines."""
    mark = b"LINACRE_MACHINE=" + os.fsencode(paths.machines)
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def running(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(paths: FacilityPaths, name: str) -> tuple[int, int]:
    """Return the ids of a machine's procServ and of its IOC."""
    run = paths.machines / name / "run"
    return (
        int((run / "procserv.pid").read_text().split()[0]),
        int((run / "ioc.pid").read_text().split()[0]),
    )


async def until(what: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Wait for a condition; fail when time is up."""
    async with asyncio.timeout(limit_s):
        while not what():
            await asyncio.sleep(0.02)


async def read_until(stream: Stream, text: bytes, limit_s: float = 20.0) -> bytes:
    """Read a stream until a text has come; fail at its end or when time is up."""
    seen = b""
    async with asyncio.timeout(limit_s):
        while text not in seen:
            data = await stream.read()
            assert data, f"the stream ended after {seen!r}"
            seen += data
    return seen


def booted(paths: FacilityPaths, name: str) -> bool:
    return (paths.machines / name / "run" / "booted").exists()
