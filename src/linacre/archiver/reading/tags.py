"""Samples of one pulse found by their tags: pvAccess's userTag, which is the pulse's number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linacre.archiver.model import Int32s, Int64s


@dataclass(frozen=True, eq=False)
class Pulses:
    """n pulses in the order of time."""

    time: Int64s
    """Of the earliest sample that has the pulse's tag."""
    pulse: Int64s
    index: Sequence[Int64s]
    """For each PV: which of its samples belongs to the pulse; -1: none."""


def pulses(
    samples: Sequence[tuple[Int64s, Int32s]], start_ns: int, end_ns: int, tolerance_ns: int
) -> Pulses:
    """Return the pulses that begin in [start, end).

    `samples` has times and tags for each PV, from `start - tolerance` to `end + tolerance` at
    least. A pulse begins with a sample whose tag is not 0 and which no sample of any PV within the
    tolerance before it has; to the pulse belongs each PV's first sample with that tag from then
    on, within the tolerance.
    """
    time = np.concatenate([times for times, _ in samples])
    tag = np.concatenate([tags for _, tags in samples]).astype(np.int64)
    pv = np.repeat(np.arange(len(samples)), [len(times) for times, _ in samples])
    place = np.concatenate([np.arange(len(times)) for times, _ in samples])
    kept = (tag != 0) & (time >= start_ns - tolerance_ns)
    order = np.flatnonzero(kept)[np.lexsort((time[kept], tag[kept]))]
    time, tag, pv, place = time[order], tag[order], pv[order], place[order]

    begins = np.ones(len(time), dtype=np.bool_)
    begins[1:] = (tag[1:] != tag[:-1]) | (time[1:] - time[:-1] > tolerance_ns)
    first = np.flatnonzero(begins)
    of = np.cumsum(begins) - 1
    inside = (time[first] >= start_ns) & (time[first] < end_ns)
    rows = np.flatnonzero(inside)
    rows = rows[np.lexsort((tag[first[rows]], time[first[rows]]))]
    row_of = np.full(len(first), -1)
    row_of[rows] = np.arange(len(rows))

    index: list[Int64s] = []
    belongs = (time - time[first[of]] <= tolerance_ns) & inside[of] if len(time) else inside
    for k in range(len(samples)):
        mine = np.flatnonzero(belongs & (pv == k))
        chains, firsts = np.unique(of[mine], return_index=True)
        found = np.full(len(rows), -1, dtype=np.int64)
        found[row_of[chains]] = place[mine[firsts]]
        index.append(found)
    return Pulses(time[first[rows]], tag[first[rows]], index)
