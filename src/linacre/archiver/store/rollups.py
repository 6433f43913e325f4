"""Roll-ups: what is known of all samples in each step of time, exact and mergeable.

The spread is kept as the sum of squared differences from the mean (m2), merged by the formula of
Chan, Golub and LeVeque (1979), so that a small noise on a large offset is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import NANOSECONDS, Float64s, Int8s, Int64s

STEPS_S = (1, 60, 3600)
"""The lengths of steps; each divides the next."""


@dataclass(frozen=True, eq=False)
class RollupColumns:
    """Steps of one PV, in the order of time; all arrays have one length.

    A step is [start, start + length). Where count is 0 the floats are NaN, the sums 0.
    """

    start: Int64s
    count: Int64s
    """Samples that are numbers."""
    nan: Int64s
    """Samples that are NaN; they are in none of the floats."""
    sum: Float64s
    sum_squares: Float64s
    m2: Float64s
    min: Float64s
    max: Float64s
    first: Float64s
    last: Float64s
    first_time: Int64s
    last_time: Int64s
    """When `first` and `last` were; `start` where there is none."""
    severity: Int8s
    """The greatest, of all samples."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def mean(self) -> Float64s:
        """NaN where there is no number."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sum / self.count

    def rows(self, rows: slice | npt.NDArray[Any]) -> RollupColumns:
        """Return some of the steps."""
        return _made([array[rows] for array in self.arrays().values()])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns by name, in their order."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple(field.name for field in fields(RollupColumns))
_SUMS = ("sum", "sum_squares", "m2")


def empty(start: Int64s | None = None) -> RollupColumns:
    """Return steps without a sample; none without starts."""
    start = np.zeros(0, np.int64) if start is None else start
    n = len(start)
    found: dict[str, Any] = dict.fromkeys(COLUMNS)
    for name in COLUMNS:
        if name in ("start", "first_time", "last_time"):
            found[name] = start.copy()
        elif name in ("count", "nan"):
            found[name] = np.zeros(n, np.int64)
        else:
            found[name] = np.zeros(n) if name in _SUMS else np.full(n, np.nan)
    found["severity"] = np.zeros(n, np.int8)
    return RollupColumns(**found)


def concat(pieces: Sequence[RollupColumns]) -> RollupColumns:
    """Return steps one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return empty()
    found = [piece.arrays() for piece in pieces]
    return _made([np.concatenate([piece[name] for piece in found]) for name in COLUMNS])


def _made(arrays: list[Any]) -> RollupColumns:
    return RollupColumns(*arrays)


def rollup(time: Int64s, value: npt.NDArray[Any], severity: Int8s, step_ns: int) -> RollupColumns:
    """Return the steps that have samples; these are in the order of time, values any numbers."""
    if not len(time):
        return empty()
    begins, index = _groups_of_steps(time, step_ns)
    found = empty(index * step_ns)
    found.severity[:] = np.maximum.reduceat(severity, begins)
    number = np.asarray(value, np.float64)
    count = np.diff(begins, append=len(time))
    bad = np.isnan(number)
    if bad.any():
        found.nan[:] = np.add.reduceat(bad, begins, dtype=np.int64)
        count = count - found.nan
        number, time = number[~bad], time[~bad]
    found.count[:] = count
    full = slice(None) if not bad.any() else np.flatnonzero(count)
    sizes = count[full]
    if len(sizes):
        _fill(found, full, sizes, time, number)
    return found


def _fill(
    found: RollupColumns,
    full: slice | npt.NDArray[Any],
    sizes: Int64s,
    time: Int64s,
    number: Float64s,
) -> None:
    """Set what numbers make, in the steps that have some."""
    begins = np.cumsum(sizes) - sizes
    ends = begins + sizes - 1
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(number, begins)
        apart = number - np.repeat(total / sizes, sizes)
        # What the mean's rounding left over: twice its square, once too much.
        left = np.add.reduceat(apart, begins)
        apart *= apart
        m2 = np.add.reduceat(apart, begins) - left * left / sizes
        np.multiply(number, number, out=apart)
        found.sum_squares[full] = np.add.reduceat(apart, begins)
    found.sum[full] = total
    found.m2[full] = np.maximum(m2, 0.0)
    found.min[full] = np.minimum.reduceat(number, begins)
    found.max[full] = np.maximum.reduceat(number, begins)
    found.first[full] = number[begins]
    found.last[full] = number[ends]
    found.first_time[full] = time[begins]
    found.last_time[full] = time[ends]


def merge(steps: RollupColumns, step_ns: int) -> RollupColumns:
    """Return longer steps; several with one start become one."""
    if not len(steps):
        return steps
    begins, index = _groups_of_steps(steps.start, step_ns)
    if len(begins) == len(steps) and np.array_equal(index * step_ns, steps.start):
        return steps
    return _merge(steps, begins, index * step_ns)


def to_bins(steps: RollupColumns, edges: Int64s) -> RollupColumns:
    """Return one row for each [edge, next edge), empty ones too; `start` is the edge.

    A step belongs to the bin in which it starts.
    """
    bins = empty(edges[:-1])
    inside = (steps.start >= edges[0]) & (steps.start < edges[-1])
    steps = steps.rows(inside)
    if not len(steps):
        return bins
    place = np.searchsorted(edges, steps.start, side="right") - 1
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    merged = _merge(steps, begins, edges[place[begins]])
    for name, array in bins.arrays().items():
        array[place[begins]] = merged.arrays()[name]
    return bins


def _merge(steps: RollupColumns, begins: npt.NDArray[Any], start: Int64s) -> RollupColumns:
    found = empty(start)
    found.severity[:] = np.maximum.reduceat(steps.severity, begins)
    found.nan[:] = np.add.reduceat(steps.nan, begins)
    some = steps.count > 0
    counts = np.add.reduceat(some, begins, dtype=np.int64)
    full = np.flatnonzero(counts)
    if not len(full):
        return found
    sizes = counts[full]
    steps = steps if some.all() else steps.rows(some)
    begins = np.cumsum(sizes) - sizes
    ends = begins + sizes - 1
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(steps.sum, begins)
        count = np.add.reduceat(steps.count, begins)
        apart = steps.mean - np.repeat(total / count, sizes)
        found.m2[full] = np.add.reduceat(steps.m2 + apart * apart * steps.count, begins)
        found.sum_squares[full] = np.add.reduceat(steps.sum_squares, begins)
    found.sum[full] = total
    found.count[full] = count
    found.min[full] = np.minimum.reduceat(steps.min, begins)
    found.max[full] = np.maximum.reduceat(steps.max, begins)
    for name in ("first", "first_time"):
        getattr(found, name)[full] = getattr(steps, name)[begins]
    for name in ("last", "last_time"):
        getattr(found, name)[full] = getattr(steps, name)[ends]
    return found


def steps_for(rows: int, span_ns: int, *, fewest: int, share: int) -> tuple[int, ...]:
    """Return the steps, s, that are worth their room for so many samples over so long.

    None for fewer samples than `fewest`; a step is left out where it would have more than one
    part in `share` of the rows of the next finer one.
    """
    kept: list[int] = []
    for step_s in STEPS_S if rows >= fewest else ():
        most = span_ns // (step_s * NANOSECONDS) + 2
        if most * share <= rows:
            kept.append(step_s)
            rows = most
    return tuple(kept)


def _groups_of_steps(time: Int64s, step_ns: int) -> tuple[npt.NDArray[Any], Int64s]:
    """Return where each step with a sample begins, and the steps' numbers."""
    first, last = int(time[0]) // step_ns, int(time[-1]) // step_ns
    if (last - first) * 8 < len(time):
        # Far fewer steps than samples: a search for each edge is quicker than many divisions.
        index = np.arange(first, last + 1, dtype=np.int64)
        begins = np.searchsorted(time, index * step_ns)
        some = np.diff(begins, append=len(time)) > 0
        return begins[some], index[some]
    index = time // step_ns
    begins = np.flatnonzero(np.diff(index, prepend=index[0] - 1))
    return begins, index[begins]
