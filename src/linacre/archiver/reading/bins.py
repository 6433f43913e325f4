"""Bins of numbers over a time, from samples and from roll-ups, merged exactly.

The variance is carried as mean and sum of squared differences (Chan, Golub and LeVeque, 1979), so
that a small noise on a large offset is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.model import NANOSECONDS, Float64s, Int8s, Int64s
from linacre.archiver.service import BIN_FIELDS
from linacre.archiver.store.rollups import STEPS_S, RollupColumns

STEPS_PER_BIN = 10
"""A bin is at least so many steps wide: its edges are moved by at most a twentieth of it."""


def coarsest_step(start_ns: int, end_ns: int, n: int) -> int | None:
    """Return the longest step, in s, from which bins are to be made; None: from samples."""
    width = (end_ns - start_ns) // n
    fitting = [step for step in STEPS_S if step * NANOSECONDS * STEPS_PER_BIN <= width]
    return fitting[-1] if fitting else None


def edges_of(start_ns: int, end_ns: int, n: int) -> Int64s:
    """Return n + 1 edges: the outer ones as asked, the inner ones on the grid of the step."""
    whole, rest = divmod(end_ns - start_ns, n)
    index = np.arange(n + 1, dtype=np.int64)
    edges = start_ns + whole * index + rest * index // n
    if (step_s := coarsest_step(start_ns, end_ns, n)) is not None:
        step = step_s * NANOSECONDS
        edges[1:-1] = (edges[1:-1] + step // 2) // step * step
    return edges


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is merged into bins: n rows in the order of time."""

    bin: Int64s
    count: Int64s
    mean: Float64s
    m2: Float64s | None
    sum: Float64s
    sum_squares: Float64s
    min: Float64s
    max: Float64s
    first: Float64s
    last: Float64s


class Bins:
    """Bins that are filled in the order of time; a bin is [edge, next edge)."""

    def __init__(self, edges: Int64s) -> None:
        n = len(edges) - 1
        self._edges = edges
        self._count = np.zeros(n, np.int64)
        self._severity = np.zeros(n, np.int8)
        self._sum, self._sum_squares, self._mean, self._m2 = np.zeros((4, n))
        self._min, self._max, self._first, self._last = np.full((4, n), np.nan)

    def add_samples(self, time: Int64s, value: npt.NDArray[Any], severity: Int8s) -> None:
        """Add samples in the order of time; those outside the edges are left out."""
        begin, end = np.searchsorted(time, (self._edges[0], self._edges[-1]))
        place = self._place(time[begin:end])
        self._add_severity(place, severity[begin:end])
        number = value[begin:end].astype(np.float64)
        good = ~np.isnan(number)
        if not good.all():
            place, number = place[good], number[good]
        with np.errstate(over="ignore", invalid="ignore"):
            squares = number * number
        ones = np.ones(len(number), np.int64)
        self._merge(
            _Rows(
                bin=place,
                count=ones,
                mean=number,
                m2=None,
                sum=number,
                sum_squares=squares,
                min=number,
                max=number,
                first=number,
                last=number,
            )
        )

    def add_steps(self, steps: RollupColumns) -> None:
        """Add roll-ups whose steps lie within one bin each."""
        place = self._place(steps.start)
        self._add_severity(place, steps.severity)
        good = steps.count > 0
        self._merge(
            _Rows(
                bin=place[good],
                count=steps.count[good],
                mean=steps.mean[good],
                m2=steps.m2[good],
                sum=steps.sum[good],
                sum_squares=steps.sum_squares[good],
                min=steps.min[good],
                max=steps.max[good],
                first=steps.first[good],
                last=steps.last[good],
            )
        )

    def table(self) -> pa.Table:
        """Return the bins so far: `BIN_FIELDS`."""
        empty = self._count == 0
        count = np.maximum(self._count, 1)
        std = np.sqrt(self._m2 / count)
        floats = {
            **{"mean": self._mean, "std": std, "min": self._min, "max": self._max},
            **{"first": self._first, "last": self._last},
            **{"sum": self._sum, "sum_squares": self._sum_squares},
        }
        columns = {name: pa.array(values, mask=empty) for name, values in floats.items()}
        columns["start"] = pa.array(self._edges[:-1])
        columns["end"] = pa.array(self._edges[1:])
        columns["count"] = pa.array(self._count)
        columns["severity"] = pa.array(self._severity)
        return pa.table({name: columns[name] for name in BIN_FIELDS})

    def _place(self, time: Int64s) -> Int64s:
        found = np.searchsorted(self._edges, time, side="right") - 1
        return np.clip(found, 0, len(self._edges) - 2)

    def _add_severity(self, place: Int64s, severity: Int8s) -> None:
        if len(place):
            begins, bins = _groups(place)
            found = np.maximum.reduceat(severity, begins)
            self._severity[bins] = np.maximum(self._severity[bins], found)

    def _merge(self, rows: _Rows) -> None:
        if not len(rows.bin):
            return
        begins, bins = _groups(rows.bin)
        ends = np.append(begins[1:], len(rows.bin)) - 1
        with np.errstate(over="ignore", invalid="ignore"):
            count, mean, m2 = _moments(rows, begins, ends)
            old = self._count[bins]
            total = old + count
            difference = np.where(old > 0, mean - self._mean[bins], 0.0)
            grown = self._m2[bins] + m2 + difference * difference * (old / total * count)
            shifted = self._mean[bins] + difference * (count / total)
            self._mean[bins] = np.where(old > 0, shifted, mean)
            self._m2[bins] = grown
            self._sum[bins] += np.add.reduceat(rows.sum, begins)
            self._sum_squares[bins] += np.add.reduceat(rows.sum_squares, begins)
        self._count[bins] = total
        self._min[bins] = np.fmin(self._min[bins], np.minimum.reduceat(rows.min, begins))
        self._max[bins] = np.fmax(self._max[bins], np.maximum.reduceat(rows.max, begins))
        self._first[bins] = np.where(old > 0, self._first[bins], rows.first[begins])
        self._last[bins] = rows.last[ends]


def _moments(rows: _Rows, begins: Int64s, ends: Int64s) -> tuple[Int64s, Float64s, Float64s]:
    """Return count, mean and m2 of each group of rows, exact for numbers far from zero."""
    count = np.add.reduceat(rows.count, begins)
    lengths = ends - begins + 1
    origin = rows.mean[begins]
    apart = rows.mean - np.repeat(origin, lengths)
    mean = np.add.reduceat(apart * rows.count, begins) / count
    apart = apart - np.repeat(mean, lengths)
    m2 = np.add.reduceat(apart * apart * rows.count, begins)
    if rows.m2 is not None:
        m2 = m2 + np.add.reduceat(rows.m2, begins)
    return count, origin + mean, m2


def _groups(place: Int64s) -> tuple[Int64s, Int64s]:
    """Return where each run of the same bin begins, and the bins."""
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    return cast("Int64s", begins), place[begins]
