"""How programs do inside machines, asked through the engine and not the network."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from linacre.base.clock import Clock
from linacre.base.errors import EngineError
from linacre.engines.base import Engine
from linacre.epics.launch import LOG_NAME
from linacre.epics.layout import Layout
from linacre.epics.report import HANGS, PVS, IocReport, ServedPv, report, served_pvs
from linacre.epics.start_errors import START_ERRORS
from linacre.kinds.service.ports import closed_ports

if TYPE_CHECKING:
    from linacre.kinds.kind import AnyKind

# In this order: what stands in one holds for those behind it.
_FILES = ("procserv.pid", "ioc.pid", "starts", HANGS, START_ERRORS, "booted", PVS)
_LARGEST_LIST = 64 << 20
_PERIOD_S = 0.05
_LAST_WORDS = 6
_LOG_TAIL = 1 << 16
"""Bytes of a log that hold a whole start of an IOC."""
_REPORT_PERIOD_S = 0.5
_LONGEST_WORDS = 500
SETTLED_S = 3.0
"""So long a command must have stayed up to be taken for one that serves."""
_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ?")
"""What procServ writes before each line of the log."""
_NEW_CHILD = "The PID of new child"
"""What procServ says when it has started a program."""
_COLOUR = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
"""What programs print for terminals."""


class IocNotBootedError(EngineError):
    """An IOC or a service was started and did not come to the point where it serves."""


async def ioc_report(
    engine: Engine,
    name: str,
    address: IPv4Address,
    *,
    clock: Clock,
    hold_off_s: float = 15,
    ports: Collection[str] | None = None,
) -> IocReport:
    """Return how the IOC of a running machine does, or the service with these ports.

    A service has booted when all its ports are open; one without any, when its command has
    stayed up for `SETTLED_S`.
    """
    layout = engine.layout(name, address)
    files = await engine.read_all(name, _files(layout.run), limit=_LARGEST_LIST)
    pids = [
        words[0].decode()
        for file in ("procserv.pid", "ioc.pid")
        if (words := (files.get(layout.run / file) or b"").split()) and words[0].isdigit()
    ]
    files |= await engine.read_all(name, [PurePosixPath("/proc", pid, "stat") for pid in pids])
    found = report(files.get, layout, now=clock.now, hold_off_s=hold_off_s)
    if ports is None or not found.booted:
        return found
    if ports:
        return replace(found, booted=not await closed_ports(engine, name, ports))
    return replace(found, booted=clock.now() - (found.started_at or math.inf) >= SETTLED_S)


@lru_cache(maxsize=4)
def _files(run: PurePosixPath) -> tuple[PurePosixPath, ...]:
    # One folder for all machines of an engine that has a root for each: made once, not for each.
    return tuple(run / file for file in _FILES)


async def listed_pvs(
    engine: Engine, name: str, address: IPv4Address
) -> tuple[ServedPv, ...] | None:
    """Return the PVs that the IOC of a running machine serves; None where it does not tell."""
    path = engine.layout(name, address).run / PVS
    listing = await engine.read(name, path, limit=_LARGEST_LIST)
    return None if listing is None else served_pvs(listing)


async def wait_until_serving(
    kind: AnyKind,
    engine: Engine,
    name: str,
    address: IPv4Address,
    *,
    clock: Clock,
    limit_s: float,
    ports: Collection[str] | None,
) -> None:
    """Wait until a program of a kind that was just started serves."""
    end = clock.monotonic() + limit_s
    booted = engine.layout(name, address).run / "booted"
    who = kind.called(name)
    looked = -math.inf
    before: IocReport | None = None
    while clock.monotonic() < end:
        # A whole report is a dozen files: only now and then while there is nothing to see.
        if not await engine.read(name, booted) and clock.monotonic() < looked + _REPORT_PERIOD_S:
            await clock.sleep(_PERIOD_S)
            continue
        looked = clock.monotonic()
        found = await ioc_report(engine, name, address, clock=clock, ports=ports)
        if found.booted and not found.restart_loop:
            if await kind.is_here_to_stay(engine, name, found, before):
                return
            before = found
            await clock.sleep(kind.look_again_s)
            continue
        # Before procServ is there, what it counts is from before the machine was stopped.
        if found.restart_loop or (found.procserv_up and found.starts > 1 and not found.ioc_up):
            said = await _last_word(kind, engine, name, address, clock=clock, ended=True)
            raise IocNotBootedError(f"{who} ends at its start{said}")
        if found.lacks_ioc_init:
            raise IocNotBootedError(_without_ioc_init(kind, name, found))
        await clock.sleep(_PERIOD_S)
    what = f"{who} has not booted within {limit_s:.0f} s"
    if closed := await closed_ports(engine, name, ports or ()):
        what = f"{who} does not serve after {limit_s:.0f} s: {', '.join(map(str, closed))}"
    said = await _last_word(kind, engine, name, address, clock=clock)
    raise IocNotBootedError(f"{what}{said}")


def _without_ioc_init(kind: AnyKind, name: str, found: IocReport) -> str:
    first = found.start_errors.told[:1] if found.start_errors else ()
    said = "".join(f" (its first error: {error})" for error in first)
    return (
        f"{kind.called(name)} serves nothing: its start script ended without iocInit{said}; "
        f"see {kind.command('log', name)}"
    )


async def _last_word(
    kind: AnyKind,
    engine: Engine,
    name: str,
    address: IPv4Address,
    *,
    clock: Clock,
    ended: bool = False,
) -> str:
    layout = engine.layout(name, address)
    text = await log_text(engine, name, layout, limit=_LOG_TAIL)
    # Words are on their way to the log line by line, and on a busy host late.
    for _ in range(_LAST_WORDS):
        if ended and tells_an_end(text):
            break
        before = text
        await clock.sleep(_REPORT_PERIOD_S)
        text = await log_text(engine, name, layout, limit=_LOG_TAIL)
        if not ended and text == before:
            break
    words = last_words(text, ended=ended) or last_words(text)
    said = f" (its last word: {words})" if words else ""
    remedy = kind.remedy_for(words, engine) or f"see {kind.command('log', name)}"
    return f"{said}; {remedy}"


def last_words(log: str, *, ended: bool = False) -> str:
    """Return the last line that a program printed since its last start; `log` is procServ's.

    It is "" where there is none. With `ended` it is of a start that has ended: the next one may be
    printing already. procServ says that a start has ended when it has read all that was printed.
    """
    spoken = of_ended = ""
    for line in _COLOUR.sub("", log).splitlines():
        printed, procserv, told = _STAMP.sub("", line).partition("@@@")
        # A prompt may stand before what procServ says.
        if (words := printed.strip()) and not (procserv and words.endswith(">")):
            spoken = words
        if procserv:
            of_ended = spoken or of_ended
        if _NEW_CHILD in told:
            spoken = ""
    return (of_ended if ended else spoken)[:_LONGEST_WORDS]


def tells_an_end(log: str) -> bool:
    """Tell whether procServ says in its log that a program has ended, with all that it printed."""
    return any("@@@" in line and "is shutting down" in line for line in log.splitlines())


async def log_text(engine: Engine, name: str, layout: Layout, *, limit: int) -> str:
    """Return the last part of an IOC's log, at most `limit` bytes."""
    data = await engine.read(name, layout.log / LOG_NAME, limit=limit)
    return (data or b"").decode(errors="replace")
