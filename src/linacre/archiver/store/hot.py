"""Reads single PVs from the files of the journal, where samples wait to be made segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from linacre.archiver.model import Int64s, Kind, Series
from linacre.archiver.store.columns import blob_values, scalar_values
from linacre.archiver.store.journal.format import blob_places, scalar_places
from linacre.archiver.store.journal.index import IndexView
from linacre.archiver.store.journal.read import FileView, Names, read_folder
from linacre.archiver.store.lacks import Lack
from linacre.archiver.store.lacks import count as count_lacks
from linacre.archiver.store.part import Columns

_PIECE_ROWS = 64 * 1024
_PIECE_BYTES = 64 << 20
_END_OF_TIME = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, eq=False)
class _Found:
    """Rows of one series in one file, in the order of time."""

    file: FileView
    series: Series
    rows: Int64s

    @property
    def index(self) -> IndexView:
        return _index(self.file, self.series)


class HotPart:
    """The samples of some files of the journal at one moment; a `Part`."""

    def __init__(self, files: Sequence[FileView], names: Names, lost: Sequence[Lack] = ()) -> None:
        """`files` are the oldest first; `lost` are those that were damaged as a whole."""
        self._files = files
        self._names = names
        self._lost = lost

    def span(self, pv: str) -> tuple[int, int] | None:
        """Return the times of a PV's first and last sample."""
        spans = [
            (int(index.first_time[series.id]), int(index.last_time[series.id]))
            for file in self._files
            for series, index in self._holding(file, pv)
        ]
        if not spans:
            return None
        return min(first for first, _ in spans), max(last for _, last in spans)

    def pvs(self) -> frozenset[str]:
        """Return the PVs that have samples here."""
        return self._pvs

    def read(self, pv: str, start_ns: int, end_ns: int) -> Iterator[Columns]:
        """Give the samples in (start, end], oldest first."""
        for file in self._files:
            for found in _in_order(self._find(file, pv, start_ns, end_ns)):
                yield from _pieces(found, start_ns, end_ns)

    def last(self, pv: str, time_ns: int) -> Columns | None:
        """Return the newest sample at or before a time, as one row."""
        for file in reversed(self._files):
            found = [
                _columns(_Found(file, series, row))
                for series, index in self._holding(file, pv)
                if (row := _last_row(file, index, series.id, time_ns)) is not None
            ]
            if found:
                return max(found, key=lambda columns: int(columns.time[0]))
        return None

    def first(self, pv: str, time_ns: int, count: int = 1) -> Iterator[Columns]:
        """Give the first `count` samples after a time."""
        for file in self._files:
            for found in _in_order(self._find(file, pv, time_ns, _END_OF_TIME)):
                # What is not after the time is among the first rows only, hence a few more.
                for piece in _pieces(found, time_ns, _END_OF_TIME, rows=max(count, 256)):
                    if len(piece) >= count:
                        yield _head(piece, count)
                        return
                    count -= len(piece)
                    yield piece

    def lacks(self, pv: str, start_ns: int, end_ns: int) -> int:
        """Return how many damaged blocks lack that may have had samples of a PV in (start, end]."""
        lacks = [*self._lost, *(one for file in self._files for one in file.lacks)]
        return count_lacks(lacks, pv, start_ns, end_ns)

    def _holding(self, file: FileView, pv: str) -> Iterator[tuple[Series, IndexView]]:
        for series in self._names.by_pv.get(pv, ()):
            index = _index(file, series)
            if index.has(series.id):
                yield series, index

    def _find(self, file: FileView, pv: str, start_ns: int, end_ns: int) -> list[_Found]:
        found = [
            _Found(file, series, index.rows(series.id, start_ns, end_ns))
            for series, index in self._holding(file, pv)
        ]
        return [each for each in found if len(each.rows)]

    @cached_property
    def _pvs(self) -> frozenset[str]:
        known = self._names.by_id
        ids = {
            k
            for file in self._files
            for index in (file.scalars, file.blobs)
            for k in index.ids()
            if k in known
        }
        return frozenset(known[k].pv for k in ids)


def open_hot(folder: Path) -> HotPart:
    """Return what is in a journal's folder, whether or not an archiver writes it."""
    files, names, _ = read_folder(folder)
    return HotPart([file.view() for file in files], names)


def _index(file: FileView, series: Series) -> IndexView:
    return file.scalars if series.kind.is_scalar else file.blobs


def _times(file: FileView, index: IndexView, rows: Int64s) -> Int64s:
    place, _, body = index.places(rows)
    return file.views().int64[body // 8 + place]


def _last_row(file: FileView, index: IndexView, series: int, time_ns: int) -> Int64s | None:
    if index.last_time[series] <= time_ns:
        return index.last_row[series : series + 1]
    if index.first_time[series] > time_ns:
        return None
    rows = index.rows(series, int(np.iinfo(np.int64).min), time_ns)
    for end in range(len(rows), 0, -_PIECE_ROWS):
        some = rows[max(0, end - _PIECE_ROWS) : end]
        before = np.flatnonzero(_times(file, index, some) <= time_ns)
        if len(before):
            return some[before[-1:]]
    return None


def _in_order(found: list[_Found]) -> Iterator[_Found]:
    """Give runs of rows of one series, where a PV changed its type, in the order of time."""
    if len(found) < 2:
        yield from found
        return
    times = [_times(each.file, each.index, each.rows) for each in found]
    which = np.repeat(np.arange(len(found)), [len(t) for t in times])
    rows = np.concatenate([each.rows for each in found])
    order = np.argsort(np.concatenate(times), kind="stable")
    which, rows = which[order], rows[order]
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(which)) + 1):
        each = found[int(which[run[0]])]
        yield _Found(each.file, each.series, rows[run])


def _pieces(
    found: _Found, start_ns: int, end_ns: int, rows: int = _PIECE_ROWS
) -> Iterator[Columns]:
    """Give the samples in (start, end], a limited number of rows and of bytes at a time."""
    for at in range(0, len(found.rows), min(rows, _PIECE_ROWS)):
        some = found.rows[at : at + min(rows, _PIECE_ROWS)]
        times = _times(found.file, found.index, some)
        some = some[(times > start_ns) & (times <= end_ns)]
        for part in _by_bytes(found, some):
            if len(part):
                yield _columns(_Found(found.file, found.series, part))


def _by_bytes(found: _Found, rows: Int64s) -> list[Int64s]:
    if found.series.kind.is_scalar or len(rows) < 2:
        return [rows]
    start, end = _data(found.file, found.index, rows)
    part = np.cumsum(end - start) // _PIECE_BYTES
    return np.split(rows, np.flatnonzero(np.diff(part)) + 1)


def _data(file: FileView, index: IndexView, rows: Int64s) -> tuple[Int64s, Int64s]:
    """Return where the values of blobs begin and end in the file."""
    place, total, body = index.places(rows)
    at = blob_places(total)
    offset = file.views().int64
    first = (body + at.offset) // 8 + place
    data: Int64s = body + at.data
    return data + offset[first], data + offset[first + 1]


def _columns(found: _Found) -> Columns:
    """Gather rows from all blocks at once: the file is seen as one array of each type."""
    file, kind = found.file.views(), found.series.kind
    place, total, body = found.index.places(found.rows)
    if kind.is_scalar:
        at = scalar_places(total)
        value = scalar_values(kind, file.int64[(body + at.value) // 8 + place])
    else:
        at = blob_places(total)
        start, end = _data(found.file, found.index, found.rows)
        value = blob_values(kind, file.raw, start, end - start)
    return Columns(
        kind=kind,
        time=file.int64[body // 8 + place],
        value=value,
        severity=file.int8[body + at.severity + place],
        status=file.int16[(body + at.status) // 2 + place],
        tag=file.int32[(body + at.tag) // 4 + place],
    )


def _head(piece: Columns, count: int) -> Columns:
    return Columns(
        kind=Kind(piece.kind),
        time=piece.time[:count],
        value=piece.value[:count],
        severity=piece.severity[:count],
        status=piece.status[:count],
        tag=piece.tag[:count],
    )
