"""Which of a PV's samples stand in the rows of a table."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import Float64s, Int64s

Bools = npt.NDArray[np.bool_]


class Align(StrEnum):
    """What a row at time t has of a PV whose samples have other times."""

    PREVIOUS = "previous"
    """The newest sample at or before t: what was known then."""
    NEAREST = "nearest"
    """The sample that is the nearest to t; of two as near, the earlier."""
    LINEAR = "linear"
    """On the straight line between the samples before and after t; the sample itself at its time.

    Numbers only; labels, text and arrays are as with PREVIOUS."""


def chosen(times: Int64s, rows: Int64s, align: Align, tolerance_ns: int | None) -> Int64s:
    """Return for each row the index of its sample, -1 where there is none.

    `times` strictly increase; a sample further than the tolerance from its row is none.
    """
    if not len(times):
        return np.full(len(rows), -1, dtype=np.int64)
    index = np.searchsorted(times, rows, side="right") - 1
    if align is Align.NEAREST:
        later = np.minimum(index + 1, len(times) - 1)
        before = rows - times[np.maximum(index, 0)]
        index = np.where(
            (index < 0) | (times[later] - rows < before) & (later > index), later, index
        )
    if tolerance_ns is not None:
        distance = np.abs(rows - times[np.maximum(index, 0)])
        index = np.where(distance <= tolerance_ns, index, -1)
    return index.astype(np.int64, copy=False)


def interpolated(
    times: Int64s, values: Float64s, rows: Int64s, tolerance_ns: int | None
) -> tuple[Float64s, Bools]:
    """Return the values on the line between samples, and where there are any.

    There is none before the first sample and after the last, nor where one of the two neighbours
    is further than the tolerance from the row. A neighbour that is NaN makes the value NaN.
    """
    if not len(times):
        return np.full(len(rows), np.nan), np.zeros(len(rows), dtype=np.bool_)
    before = np.searchsorted(times, rows, side="right") - 1
    known = np.maximum(before, 0)
    exact = (before >= 0) & (times[known] == rows)
    after = np.where(exact, known, np.minimum(before + 1, len(times) - 1))
    valid = (before >= 0) & (exact | (after > before))
    width = times[after] - times[known]
    share = (rows - times[known]) / np.where(width > 0, width, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        between = values[known] + (values[after] - values[known]) * share
    if tolerance_ns is not None:
        valid &= (rows - times[known] <= tolerance_ns) & (times[after] - rows <= tolerance_ns)
    return np.where(exact, values[known], between), valid
