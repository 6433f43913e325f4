"""The host's clock against what was written by it before, and against time servers."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

import linacre
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Finding, Outcome, problem, warning
from linacre.observing.doctor import sntp

BEHIND_S = 2.0
"""So far may the clock be behind what was written by it."""
OFF_S = 1.0
"""So far may the clock be off the time of a time server."""

_ASK_LIMIT_S = 1.0
_SET = "set the clock: chronyc makestep, or date -s"
_UNSYNCHRONISED = 0x0040  # STA_UNSYNC of adjtimex(2)


class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("microseconds", ctypes.c_long))


class _Timex(ctypes.Structure):
    # struct timex of <sys/timex.h>; with no modes set it is only read.
    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance")),
        ("time", _Timeval),
        ("rest", ctypes.c_byte * 256),
    )


def is_disciplined() -> bool | None:
    """Tell whether some service keeps the kernel's clock right; None where it is not told."""
    state = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
        return None
    return not state.status & _UNSYNCHRONISED


def newest_file(folder: Path) -> float:
    """Return when the newest source file below a folder was written."""
    return max((file.stat().st_mtime for file in folder.rglob("*.py")), default=0.0)


async def clock_right(facts: Facts) -> Outcome:
    """Compare the clock with the newest task, Linacre's own files and the time servers."""
    now = facts.session.clock.now
    servers = facts.facility.time_servers
    told, task, built = await asyncio.gather(
        asyncio.gather(*(sntp.ask(each, now=now, limit_s=_ASK_LIMIT_S) for each in servers)),
        asyncio.to_thread(newest_task, facts.session.paths.catalogue),
        asyncio.to_thread(newest_file, Path(linacre.__file__).parent),
    )
    findings: list[Finding] = []
    for server, answer in zip(servers, told, strict=True):
        if answer.error is not None:
            text = f"this time server gives no time: {answer.error}"
            findings.append(warning(str(server), text, f"see whether it is up: ping {server}"))
        elif abs(answer.offset_s) > OFF_S:
            way = "behind" if answer.offset_s > 0 else "ahead of"
            text = f"{_length(abs(answer.offset_s))} {way} the time server {server}"
            findings.append(problem("the host's clock", text, _SET))
    agree = any(a.error is None and abs(a.offset_s) <= OFF_S for a in told)
    if task is not None and task[1] > now() + BEHIND_S:
        findings.append(_behind(f"the newest task ({task[0]})", task[1], now=now(), agree=agree))
    if built > now() + BEHIND_S:
        findings.append(_behind("Linacre's own newest file", built, now=now(), agree=agree))
    return Outcome(_said(now(), agree=agree), tuple(findings))


def _said(now: float, *, agree: bool) -> str:
    kept = {True: "some service keeps it right", False: "no service keeps it right"}
    disciplined = is_disciplined()
    how = "the kernel does not tell" if disciplined is None else kept[disciplined]
    by = ", as the time servers say" if agree else ""
    return f"{time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(now))}{by}; {how}"


def _behind(what: str, at: float, *, now: float, agree: bool) -> Finding:
    by = _length(at - now)
    if agree:
        text = f"{what} is {by} ahead of the clock, which is right: it was written by a wrong one"
        return warning("the host's clock", text, f"nothing: this passes by itself in {by}")
    return problem("the host's clock", f"{by} behind {what}", _SET)


def newest_task(catalogue: Path) -> tuple[str, float] | None:
    """Return the newest entry of a catalogue and when it was written; None where there is none.

    Read past the catalogue's own libraries, which take longer than all else here.
    """
    if not catalogue.exists():
        return None
    address = f"file:{quote(str(catalogue))}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=1)) as database:
        newest = database.execute(
            "select id, verb, max(started_at, coalesce(ended_at, 0)) as written from task "
            "order by written desc limit 1"
        ).fetchone()
    return None if newest is None else (f"task {newest[0]}, {newest[1]}", float(newest[2]))


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"
