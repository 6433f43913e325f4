"""What is in a file of the journal and where, in memory, kept up as it is written.

Beside the blocks' places it holds the series of each row, 4 bytes, so that the rows of one PV are
found by one comparison however many blocks there are; all else is read from the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import Int32s, Int64s

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class IndexView:
    """An index at one moment. Rows are counted through the file, from 0."""

    body: Int64s
    """By block: where its body begins in the file."""
    first: Int64s
    """By block, its first row, and at the end the number of rows."""
    earliest: Int64s
    latest: Int64s
    series: Int32s
    """By row."""
    last_row: Int64s
    """By series: its newest row, -1 where it has none."""
    first_time: Int64s
    last_time: Int64s

    def has(self, series: int) -> bool:
        """Whether there are samples of a series."""
        return series < len(self.last_row) and bool(self.last_row[series] >= 0)

    def ids(self) -> list[int]:
        """Return the series of which there are samples."""
        return np.flatnonzero(self.last_row >= 0).tolist()

    def rows(self, series: int, start_ns: int, end_ns: int) -> Int64s:
        """Return a series' rows in the blocks that have times in (start, end], and between."""
        if not self.has(series):
            return np.empty(0, np.int64)
        blocks = np.flatnonzero((self.latest > start_ns) & (self.earliest <= end_ns))
        if not len(blocks):
            return np.empty(0, np.int64)
        begin, end = int(self.first[blocks[0]]), int(self.first[blocks[-1] + 1])
        return np.flatnonzero(self.series[begin:end] == series) + begin

    def places(self, rows: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return each row's place in its block, that block's rows, and where its body begins."""
        block = np.searchsorted(self.first, rows, side="right") - 1
        first = self.first[block]
        return rows - first, self.first[block + 1] - first, self.body[block]


class Index:
    """An index that grows; a view stays as it is while more is added."""

    def __init__(self) -> None:
        self._blocks = 0
        self._rows = 0
        self._body = np.zeros(16, np.int64)
        self._first = np.zeros(17, np.int64)
        self._earliest = np.zeros(16, np.int64)
        self._latest = np.zeros(16, np.int64)
        self._series = np.zeros(1024, np.int32)
        self._last_row = np.full(16, -1, np.int64)
        self._first_time = np.full(16, _NEVER, np.int64)
        self._last_time = np.full(16, -1, np.int64)
        self._view: IndexView | None = None

    def __len__(self) -> int:
        return self._rows

    def has_all(self, series: Int32s) -> bool:
        """Whether each of these series has samples here already."""
        if int(series.max()) >= len(self._last_row):
            return False
        return bool((self._last_row[series] >= 0).all())

    def add(self, body: int, series: Int32s, time: Int64s) -> None:
        """Take note of a block."""
        self.extend(np.array([body]), np.array([len(series)]), series, time)

    def extend(self, body: Int64s, rows: Int64s, series: Int32s, time: Int64s) -> None:
        """Take note of blocks: each has rows, at least one; the columns are of all of them."""
        if not len(body):
            return
        n, blocks = self._rows + len(series), self._blocks + len(body)
        self._grow(n, blocks, int(series.max()) + 1)
        at = slice(self._blocks, blocks)
        self._body[at] = body
        self._first[self._blocks + 1 : blocks + 1] = self._rows + np.cumsum(rows)
        begins = self._first[at] - self._rows
        self._earliest[at] = np.minimum.reduceat(time, begins) if len(body) > 1 else time.min()
        self._latest[at] = np.maximum.reduceat(time, begins) if len(body) > 1 else time.max()
        self._series[self._rows : n] = series
        # `.at` says which of a series' rows wins; a plain assignment does not promise it.
        by_series = series.astype(np.intp)
        np.maximum.at(self._last_row, by_series, np.arange(self._rows, n))
        np.maximum.at(self._last_time, by_series, time)
        np.minimum.at(self._first_time, by_series, time)
        self._rows, self._blocks = n, blocks
        self._view = None

    def view(self) -> IndexView:
        """Return the index as it is now; the columns by series are copied, no others."""
        if self._view is None:
            self._view = IndexView(
                body=self._body[: self._blocks],
                first=self._first[: self._blocks + 1],
                earliest=self._earliest[: self._blocks],
                latest=self._latest[: self._blocks],
                series=self._series[: self._rows],
                last_row=self._last_row.copy(),
                first_time=self._first_time.copy(),
                last_time=self._last_time.copy(),
            )
        return self._view

    def _grow(self, rows: int, blocks: int, ids: int) -> None:
        self._series = _grown(self._series, rows, 0)
        self._body = _grown(self._body, blocks, 0)
        self._first = _grown(self._first, blocks + 1, 0)
        self._earliest = _grown(self._earliest, blocks, 0)
        self._latest = _grown(self._latest, blocks, 0)
        self._last_row = _grown(self._last_row, ids, -1)
        self._first_time = _grown(self._first_time, ids, _NEVER)
        self._last_time = _grown(self._last_time, ids, -1)


def _grown(array: npt.NDArray[Any], size: int, fill: int) -> npt.NDArray[Any]:
    """Return the array or, where it is too short, a copy of at least twice its length."""
    if size <= len(array):
        return array
    larger = np.empty(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    larger[len(array) :] = fill
    return larger
