"""How an IOC does, from the files that its scripts leave in the run folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from linacre.base.processes import ProcessId, ProcessStat
from linacre.epics.layout import Layout
from linacre.epics.start_errors import START_ERRORS, StartErrors, read_start_errors

Reader = Callable[[PurePosixPath], bytes | None]
"""Returns a file of the machine, `/proc` included; None where it is not there."""

PVS = "pvs"
"""The file of the run folder in which an IOC lists what it serves."""

HANGS = "procserv-hangs"
"""The file of the run folder that is there while procServ hangs."""

_LARGEST_STARTS, _LONGEST_LINE, _TIME_DIGITS = 4096, 1000, 10
MOST_PVS = 1_000_000
"""So many are taken of what an IOC lists."""

LOOP_STARTS = 3
"""So many starts within the window are a restart loop."""


@dataclass(frozen=True)
class IocReport:
    """How one IOC does."""

    procserv_up: bool
    ioc_up: bool
    started_at: float | None
    """Seconds since the Unix epoch; None where the IOC is not up."""
    starts: int
    """How often the IOC was started since its procServ was, counted up to 50."""
    restart_loop: bool
    pv_count: int | None
    """None where it is unknown: not booted yet, or a program that does not tell."""
    booted: bool
    """The start-up file, or script, has run to the point where PVs are served."""
    procserv_hangs: bool = False
    """procServ is there and does nothing: no console, no log."""
    start_errors: StartErrors | None = None
    """What its start script printed of errors; None until it has ended, or where nobody tells."""

    @property
    def lacks_ioc_init(self) -> bool:
        """Whether the start script has ended, and the IOC serves nothing: it had no iocInit."""
        return self.ioc_up and self.start_errors is not None and not self.booted


DOWN = IocReport(
    procserv_up=False,
    ioc_up=False,
    started_at=None,
    starts=0,
    restart_loop=False,
    pv_count=None,
    booted=False,
)
"""The report of a machine that does not run."""


def report(
    reader: Reader, layout: Layout, *, now: Callable[[], float], hold_off_s: float = 15
) -> IocReport:
    """Return how the IOC does; `hold_off_s` is procServ's."""
    procserv_up = _alive(reader, layout.run / "procserv.pid")
    ioc_up = procserv_up and _alive(reader, layout.run / "ioc.pid")
    starts = _starts(reader, layout)
    # Before what tells whether it has booted, which is there when the script has ended.
    start_errors = read_start_errors(reader(layout.run / START_ERRORS)) if ioc_up else None
    booted = ioc_up and bool((reader(layout.run / "booted") or b"").strip())
    listing = reader(layout.run / PVS) if booted else None
    return IocReport(
        procserv_up=procserv_up,
        ioc_up=ioc_up,
        started_at=starts[-1] if ioc_up and starts else None,
        starts=len(starts),
        restart_loop=procserv_up and is_restart_loop(starts, now=now(), hold_off_s=hold_off_s),
        pv_count=None if listing is None else pv_count(listing),
        booted=booted,
        procserv_hangs=procserv_up and bool(reader(layout.run / HANGS)),
        start_errors=start_errors,
    )


def is_restart_loop(starts: list[float], *, now: float, hold_off_s: float) -> bool:
    """Say whether these start times, in seconds, are those of a restart loop.

    The window is a minute, or four hold-offs where that is longer: an IOC that dies at once is
    started every hold-off, so a window always holds more than `LOOP_STARTS` of its starts. An
    IOC that then stays up leaves the state by itself when the window has passed. Starts from
    before the last start of procServ are not counted: a person restarting an IOC is no loop.
    """
    window = max(60.0, 4 * hold_off_s)
    return sum(now - start < window for start in starts) >= LOOP_STARTS


@dataclass(frozen=True)
class ServedPv:
    """A PV that an IOC serves, as it tells itself."""

    name: str
    record_type: str = ""
    """Such as `ai`; empty where the IOC does not tell."""
    description: str = ""
    """The record's DESC."""


def served_pvs(listing: bytes) -> tuple[ServedPv, ...]:
    """Return the PVs of a listing: names alone, or what `dbl "" "recordType DESC"` prints."""
    # The IOC may be writing it now: what has no end of line yet is no PV yet.
    lines = listing[: listing.rfind(b"\n") + 1].decode(errors="replace").splitlines()
    there = (line.strip()[:_LONGEST_LINE] for line in lines)
    return tuple(map(_served_pv, islice(filter(None, there), MOST_PVS)))


def _served_pv(line: str) -> ServedPv:
    name, listed, rest = line.partition(', "')
    record_type, _, description = rest.removesuffix('"').partition('", "')
    return ServedPv(name, record_type, description) if listed else ServedPv(line)


def pv_count(listing: bytes) -> int:
    """Return how many PVs `served_pvs` returns, without telling them apart."""
    lines = listing[: listing.rfind(b"\n") + 1].splitlines()
    return sum(1 for line in lines if line and not line.isspace())


def _starts(reader: Reader, layout: Layout) -> list[float]:
    words = (reader(layout.run / "starts") or b"")[-_LARGEST_STARTS:].split()
    return [float(word) for word in words if word.isdigit() and len(word) <= _TIME_DIGITS]


def _alive(reader: Reader, pid_file: PurePosixPath) -> bool:
    """Compare the process's start time with the one noted: a pid may be another's by now."""
    noted = ProcessId.parse((reader(pid_file) or b"").decode(errors="replace"))
    if noted is None:
        return False
    told = reader(PurePosixPath("/proc", str(noted.pid), "stat")) or b""
    stat = ProcessStat.parse(told.decode(errors="replace"))
    return stat is not None and noted.is_that_of(stat)
