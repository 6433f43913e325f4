"""Archives that are made for a measurement, written by the store's own writer of segments."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from common import caches
from common.archive_pieces import Piece, counts, pieces
from common.archive_signals import Shape, Signal, minutes, reading
from common.conditions import say
from common.report import Result, rounded
from linacre.archiver import Archive
from linacre.archiver.model import NANOSECONDS, ChannelSpec, Kind
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel
from linacre.archiver.service import Reader
from linacre.archiver.settings import Settings
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.part import Columns, arrow_type
from linacre.archiver.store.segments.family import Run
from linacre.archiver.store.segments.names import Level, SegmentName
from linacre.archiver.store.segments.writer import SegmentWriter
from linacre.archiver.store.store import Store

FAST = "BENCH:FAST"
"""Before the others in the order of names."""
_OTHER = "BENCH:OTHER:{:05d}"
_TIERS = {"month": "long", "day": "medium", "hour": "short"}
_ROWS_AT_ONCE = 1_000_000
_DAY_NS = 86400 * NANOSECONDS


@dataclass(frozen=True)
class Made:
    """An archive with one PV at 10 Hz and others with a sample a minute."""

    folder: Path
    pv: str
    others: int
    end_ns: int
    told: Result

    def last(self, seconds: float) -> tuple[int, int]:
        """Return the start and end, ns, of the last so many seconds."""
        return self.end_ns - round(seconds * NANOSECONDS), self.end_ns


def make(folder: Path, *, days: float, others: int) -> Made:
    """Write what an archiver has at this hour that has run for so many days."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    found = pieces(end, days)
    rng = np.random.default_rng(others)
    rows, begun = 0, time.perf_counter()
    say(f"archive: writing {days:g} days, {others} other PVs, {counts(found)}")
    for number, piece in enumerate(found, 1):
        fill = partial(_fill, rng=rng, piece=piece, others=others)
        rows += _write(folder, number, piece, fill)
    (folder / "short" / "journal").mkdir(parents=True, exist_ok=True)
    _register(folder, [FAST, *(_OTHER.format(number) for number in range(others))])
    told = {
        "segments": counts(found),
        "samples": rows,
        "bytes": caches.size(folder),
        "files": sum(1 for path in folder.rglob("*") if path.is_file()),
        "written_in_s": rounded(time.perf_counter() - begun),
    }
    return Made(folder, FAST, others, found[-1].end_ns, told)


def make_of(folder: Path, shape: Shape, *, pvs: int, days: float) -> int:
    """Write a month's segment of PVs of one sort; return how many samples it has."""
    start = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp()) * NANOSECONDS
    piece = Piece("month", start, start + int(days * _DAY_NS))

    def fill(add: _Add) -> int:
        rows = 0
        for number in range(pvs):
            rng = np.random.default_rng(number)
            signal = shape.make(rng, piece.start_ns, piece.end_ns)
            add(signal, [(f"BENCH:{number:05d}", len(signal), len(signal), True)])
            rows += len(signal)
        return rows

    return _write(folder, 1, piece, fill)


@contextmanager
def open_archive(folder: Path) -> Generator[Reader]:
    """Read an archive's folder as `Archive(folder)` does."""
    with Archive(folder) as archive:
        yield archive.reader


def merge(folder: Path) -> None:
    """Make segments of what an archiver left, and merge them as when their month is over."""
    later = time.time_ns() + 40 * _DAY_NS
    store = Store.of(Settings(data=folder), files=OsFiles(), clock=lambda: later)
    try:
        store.rotate()
        store.maintain()
    finally:
        store.close()


_Add = Callable[[Signal, Sequence[tuple[str, int, int, bool]]], None]
"""Takes rows, and for each PV its name, its rows here and in all, and whether it ends here."""


def _write(folder: Path, number: int, piece: Piece, fill: Callable[[_Add], int]) -> int:
    level = Level(piece.level)
    root = folder / _TIERS[piece.level] / "segments"
    name = SegmentName(level, level.floor(piece.start_ns), number)
    writer = SegmentWriter(root, name, files=OsFiles())

    def add(signal: Signal, pvs: Sequence[tuple[str, int, int, bool]]) -> None:
        span_ns = piece.end_ns - piece.start_ns
        runs = [
            Run(
                pv=pv, kind=signal.kind, rows=rows, total=total, units=total, span_ns=span_ns,
                ends=ends,
            )
            for pv, rows, total, ends in pvs
            if rows
        ]  # fmt: skip
        writer.add(_columns(signal), runs)

    try:
        rows = fill(add)
        writer.finish([])
    except BaseException:
        writer.abandon()
        raise
    return rows


def _fill(add: _Add, *, rng: np.random.Generator, piece: Piece, others: int) -> int:
    total = math.ceil((piece.end_ns - piece.start_ns) / (NANOSECONDS // 10))
    for start in range(piece.start_ns, piece.end_ns, _DAY_NS):
        end = min(start + _DAY_NS, piece.end_ns)
        signal = reading(rng, start, end)
        add(signal, [(FAST, len(signal), total, end == piece.end_ns)])
    each = (piece.end_ns - piece.start_ns) // (60 * NANOSECONDS)
    at_once = max(1, _ROWS_AT_ONCE // each)
    for first in range(0, others, at_once):
        numbers = range(first, min(first + at_once, others))
        found = minutes(rng, numbers, piece.start_ns, piece.end_ns)
        signal = Signal(Kind.FLOAT64, found.time.ravel(), found.value.ravel())
        add(signal, [(_OTHER.format(number), each, each, True) for number in numbers])
    return total + others * each


def _register(folder: Path, pvs: Sequence[str]) -> None:
    """Write the registry that an archiver has of PVs of type double."""
    registry = Registry.open(folder, now_ns=time.time_ns)
    try:
        for pv in pvs:
            registry.series(pv, Kind.FLOAT64, "DBR_DOUBLE")
        now = time.time_ns()
        registry.put([Channel(spec=ChannelSpec(pv=pv), added_ns=now, added_by="") for pv in pvs])
        registry.flush()
    finally:
        registry.close()


def _columns(signal: Signal) -> Columns:
    rows = len(signal)
    value: Any = pa.array(signal.value)
    wanted: Any = arrow_type(signal.kind)
    return Columns(
        kind=signal.kind,
        time=signal.time,
        value=value if value.type == wanted else value.cast(wanted),
        severity=np.zeros(rows, np.int8),
        status=np.zeros(rows, np.int16),
        tag=np.zeros(rows, np.int32),
    )
