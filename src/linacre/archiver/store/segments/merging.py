"""Streams the samples of segments into a new one, a range of PVs at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from linacre.archiver.model import Kind
from linacre.archiver.store.files import Files
from linacre.archiver.store.part import Columns
from linacre.archiver.store.segments.family import Run
from linacre.archiver.store.segments.index import KINDS, Entry, Group
from linacre.archiver.store.segments.limits import UNIT_BYTES, Limits
from linacre.archiver.store.segments.names import SegmentName
from linacre.archiver.store.segments.segment import Segment
from linacre.archiver.store.segments.writer import SegmentWriter, part, take

_pa: Any = pa


def write_merged(
    root: Path,
    name: SegmentName,
    inputs: Sequence[Segment],
    *,
    files: Files,
    replaces: Sequence[str],
    limits: Limits,
    without: Collection[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Write a segment of the samples of others, in the order of arrival; return its folder.

    `check` is called every now and then, and may raise to give up. Raises `OSError`, and
    `FileNotFoundError` where an input is gone; then there is no new segment.
    """
    writer = SegmentWriter(root, name, files=files, limits=limits)
    try:
        contents = [segment.contents() for segment in inputs]
        for kind in KINDS:
            cursors = [
                cursor
                for segment, (entries, groups) in zip(inputs, contents, strict=True)
                for cursor in _cursors(segment, kind, entries, groups, without)
            ]
            if cursors:
                _merge_kind(writer, kind, cursors, limits, check)
        check()
        writer.finish(replaces, [lack for segment in inputs for lack in segment.all_lacks()])
    except BaseException:
        writer.abandon()
        raise
    return writer.path


def _merge_kind(
    writer: SegmentWriter,
    kind: Kind,
    cursors: Sequence[_Cursor],
    limits: Limits,
    check: Callable[[], None],
) -> None:
    totals: dict[str, _Total] = defaultdict(_Total)
    for cursor in cursors:
        for entry in cursor.entries:
            totals[entry.pv].add(entry, cursor.units(entry))
    # Each input is decoded a row group at a time: too small a range would do so many times over.
    most = max(limits.piece_rows, limits.group_rows * len(cursors) // 2)
    for pvs in _ranges(totals, most):
        check()
        if totals[pvs[0]].units > most:
            _stream(writer, kind, pvs[0], totals[pvs[0]], cursors, check)
        else:
            _gather(writer, kind, pvs, totals, cursors)


@dataclass
class _Total:
    """What all inputs have of one PV."""

    rows: int = 0
    units: int = 0
    first_ns: int = 2**63 - 1
    last_ns: int = -(2**63)

    def add(self, entry: Entry, units: int) -> None:
        self.rows += entry.rows
        self.units += units
        self.first_ns = min(self.first_ns, entry.first_ns)
        self.last_ns = max(self.last_ns, entry.last_ns)

    def run(self, kind: Kind, pv: str, rows: int, *, ends: bool = True) -> Run:
        return Run(
            pv=pv,
            kind=kind,
            rows=rows,
            total=self.rows,
            units=self.units,
            span_ns=self.last_ns - self.first_ns,
            ends=ends,
        )


def _ranges(totals: dict[str, _Total], most: int) -> Iterator[list[str]]:
    """Give the PVs in order, as many at once as have about so many units; a large one alone."""
    some: list[str] = []
    units = 0
    for pv in sorted(totals):
        if some and units + totals[pv].units > most:
            yield some
            some, units = [], 0
        some.append(pv)
        units += totals[pv].units
    if some:
        yield some


def _stream(
    writer: SegmentWriter,
    kind: Kind,
    pv: str,
    total: _Total,
    cursors: Sequence[_Cursor],
    check: Callable[[], None],
) -> None:
    """Add one large PV, a row group of an input at a time."""
    held: Columns | None = None
    for cursor in cursors:
        for _, columns in cursor.take(pv):
            if held is not None:
                writer.add(held, [total.run(kind, pv, len(held), ends=False)])
            held = columns
            check()
    if held is not None:
        writer.add(held, [total.run(kind, pv, len(held))])


def _gather(
    writer: SegmentWriter,
    kind: Kind,
    pvs: Sequence[str],
    totals: dict[str, _Total],
    cursors: Sequence[_Cursor],
) -> None:
    """Add small PVs: the rows of all inputs, put into the order of PVs at once."""
    places = {pv: place for place, pv in enumerate(pvs)}
    pieces: list[Columns] = []
    of_pv: list[int] = []
    sizes: list[int] = []
    for cursor in cursors:
        for runs, columns in cursor.take_runs(pvs[-1]):
            pieces.append(columns)
            of_pv += [places[pv] for pv, _ in runs]
            sizes += [rows for _, rows in runs]
    if not pieces:
        return
    place, size = np.array(of_pv), np.array(sizes)
    order = np.argsort(place, kind="stable")
    joined = concat(kind, pieces)
    if not np.array_equal(order, np.arange(len(order))):
        starts = (np.cumsum(size) - size)[order]
        ends = np.cumsum(size[order])
        shift = starts - (ends - size[order])
        joined = take(joined, np.repeat(shift, size[order]) + np.arange(len(joined)))
    rows = np.bincount(place, size, minlength=len(pvs)).astype(np.int64).tolist()
    runs = [totals[pv].run(kind, pv, n) for pv, n in zip(pvs, rows, strict=True) if n]
    writer.add(joined, runs)


class _Cursor:
    """What one input has of one kind in one family, read in the order of the files."""

    def __init__(self, segment: Segment, entries: list[Entry], groups: Sequence[Group]) -> None:
        self.entries = entries
        self._segment = segment
        self._groups = groups
        self._next = 0
        self._decoded: tuple[int, Columns | None] = -1, None

    def units(self, entry: Entry) -> int:
        """Return how much of memory an entry takes, in rows of numbers."""
        if entry.kind.is_scalar:
            return entry.rows
        mine = self._groups[entry.group : entry.group + entry.groups]
        each = sum(group.raw for group in mine) / sum(group.rows for group in mine)
        return max(entry.rows, int(entry.rows * each / UNIT_BYTES))

    def take(self, last: str) -> Iterator[tuple[str, Columns]]:
        """Give the rows of the next PVs, up to and with one, a row group at a time."""
        while self._next < len(self.entries) and self.entries[self._next].pv <= last:
            entry = self.entries[self._next]
            self._next += 1
            for begin, end, number in self._places(entry):
                columns = self._columns(number)
                if columns is not None and begin < end:
                    yield entry.pv, part(columns, begin, end)

    def take_runs(self, last: str) -> Iterator[tuple[list[tuple[str, int]], Columns]]:
        """Give the same, with neighbouring rows in one piece."""
        runs: list[tuple[str, int]] = []
        held: tuple[int, int, int] | None = None
        while self._next < len(self.entries) and self.entries[self._next].pv <= last:
            entry = self.entries[self._next]
            self._next += 1
            for begin, end, number in self._places(entry):
                if held is not None and held[1:] == (begin, number):
                    held = held[0], end, number
                else:
                    yield from self._piece(runs, held)
                    runs, held = [], (begin, end, number)
                runs.append((entry.pv, end - begin))
        yield from self._piece(runs, held)

    def _piece(
        self, runs: list[tuple[str, int]], held: tuple[int, int, int] | None
    ) -> Iterator[tuple[list[tuple[str, int]], Columns]]:
        if held is not None:
            begin, end, number = held
            columns = self._columns(number)
            if columns is not None:
                yield runs, part(columns, begin, end)

    def _places(self, entry: Entry) -> Iterator[tuple[int, int, int]]:
        """Give the rows of an entry in each of its row groups: begin, end, row group."""
        left, begin = entry.rows, entry.row
        for number in range(entry.group, entry.group + entry.groups):
            end = min(self._groups[number].rows, begin + left)
            yield begin, end, number
            left -= end - begin
            begin = 0

    def _columns(self, number: int) -> Columns | None:
        # The next PV is most often in the same row group.
        if self._decoded[0] != number:
            self._decoded = number, self._segment.columns(self._groups[number])
        return self._decoded[1]


def _cursors(
    segment: Segment,
    kind: Kind,
    entries: Sequence[Entry],
    groups: Sequence[Group],
    without: Collection[str],
) -> list[_Cursor]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.kind is kind and not entry.step_s and entry.pv not in without:
            family = segment.description.parts[groups[entry.group].part].family
            found[family].append(entry)
    for mine in found.values():
        mine.sort(key=lambda entry: (entry.group, entry.row))
    return [_Cursor(segment, mine, groups) for mine in found.values()]


def concat(kind: Kind, pieces: Sequence[Columns]) -> Columns:
    """Return rows one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    names = ("time", "severity", "status", "tag")
    arrays = {n: np.concatenate([getattr(piece, n) for piece in pieces]) for n in names}
    value = _pa.concat_arrays([piece.value for piece in pieces])
    return Columns(kind=kind, value=value, **arrays)
