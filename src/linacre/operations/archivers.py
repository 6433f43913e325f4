"""What archivers say of themselves: asked over HTTP, beside how their machines stand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from linacre.base.errors import LinacreError
from linacre.declaration.models.archiver_values import time_text
from linacre.engines.labels import kept_key
from linacre.kinds.archiver.http import ask
from linacre.kinds.archiver.kind import ArchiverStatus
from linacre.kinds.registry import ARCHIVER
from linacre.observing.status import facility_status
from linacre.operations.services import running_archiver
from linacre.session.session import Session

_LIMIT_S = 3.0
_MOST = 100_000


@dataclass(frozen=True)
class ArchivedPv:
    """One PV of an archiver, at present."""

    pv: str
    state: str
    rate_hz: float
    samples: int
    """Stored since the archiver's start."""
    dropped: int
    last: str | None
    """The time of its newest sample."""
    why: str


@dataclass(frozen=True)
class Told:
    """What an archiver says of itself."""

    pvs: int
    connected: int
    rate_hz: float
    """Samples a second of all PVs together, over about a minute."""
    bytes: int
    """On disk."""
    ends: str | None
    has_ended: bool
    disk_full: bool
    damaged: int
    """Blocks of its files that were found damaged: their samples lack."""
    misdated: int
    """PVs with times ahead of its clock: samples of them are refused."""


@dataclass(frozen=True)
class ArchiverInfo:
    """One archiver: how its machine stands, and what it says of itself, if it answers."""

    status: ArchiverStatus
    told: Told | None
    pvs: tuple[ArchivedPv, ...] = ()


async def list_archivers(session: Session) -> tuple[list[ArchiverInfo], list[str]]:
    """Return every declared archiver, and the names of deleted ones whose data are kept."""
    archivers = session.declaration.facility.archivers
    found = (await facility_status(session, archivers)).of(ARCHIVER)
    if not await session.is_up():
        return [ArchiverInfo(row, None) for row in found], []
    async with session.engine_open() as engine:
        told = await asyncio.gather(*(_asked(session, row, pvs=True) for row in found))
        record = await engine.record()
    start = kept_key("")
    kept = sorted(key.removeprefix(start) for key in record if key.startswith(start))
    return [ArchiverInfo(each.status, each.told) for each in told], kept


async def show_archiver(session: Session, name: str) -> ArchiverInfo:
    """Return one archiver with its PVs."""
    row = (await facility_status(session, (name,))).row(ARCHIVER, name)
    if not await session.is_up():
        return ArchiverInfo(row, None)
    async with session.engine_open():
        return await _asked(session, row, pvs=True)


async def _asked(session: Session, row: ArchiverStatus, *, pvs: bool) -> ArchiverInfo:
    if not row.green:
        return ArchiverInfo(row, None)
    try:
        info, listed = await asyncio.gather(
            ask(session.engine, row.name, "", limit_s=_LIMIT_S),
            ask(session.engine, row.name, f"pvs?limit={_MOST}", limit_s=_LIMIT_S),
        )
    except LinacreError:
        return ArchiverInfo(row, None)
    found = tuple(map(_pv, listed["pvs"]))
    told = Told(
        pvs=info["pvs"],
        connected=info["connected"],
        rate_hz=sum(each.rate_hz for each in found),
        bytes=info["bytes"],
        ends=_time(info["ends_ns"]),
        has_ended=info["read_only"],
        disk_full=info["disk_full"],
        damaged=info["damaged"],
        # One of an earlier version does not tell.
        misdated=info.get("misdated", 0),
    )
    return ArchiverInfo(row, told, found)


def _pv(given: Any) -> ArchivedPv:
    return ArchivedPv(
        pv=given["pv"],
        state=given["state"],
        rate_hz=given["rate_hz"],
        samples=given["samples"],
        dropped=given["dropped"],
        last=_time(given["last_ns"] or None),
        why=given["why"],
    )


def _time(ns: int | None) -> str | None:
    return None if ns is None else time_text(datetime.fromtimestamp(ns / 1e9, UTC))


async def pause(session: Session, name: str, pvs: Sequence[str], *, resume: bool = False) -> int:
    """Take no more samples of some PVs (of all where none is given), or take them again.

    Returns for how many that changed something. What is paused stays so through restarts, until
    it is resumed.
    """
    verb = "resume" if resume else "pause"
    async with session.changing(f"archiver {verb} {name}") as engine:
        await running_archiver(session, name)
        which: dict[str, Any] = {"pvs": list(pvs)} if pvs else {"pattern": "*"}
        if len(pvs) == 1 and any(each in pvs[0] for each in "*?["):
            which = {"pattern": pvs[0]}
        key = f"{verb} {name}"
        async with session.task(f"archiver {verb}", detail=name, steps=[(key, key)]) as task:
            await task.step_started(key)
            changed = await ask(engine, name, f"pvs/{quote(verb)}", which)
            await task.step_done(key)
    return len(changed["pvs"])
