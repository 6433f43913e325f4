"""Signals as an accelerator's PVs give them, made by the million: times and values.

Every value depends only on the seed. Times are those of an IOC that scans on a grid and is late by
10 to 200 us, as soft IOCs were measured to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linacre.archiver.model import NANOSECONDS, Int64s, Kind

LATE_NS = (10_000, 200_000)
"""How late a sample of a scanned record is."""


@dataclass(frozen=True, eq=False)
class Signal:
    """Samples of one PV, in the order of time."""

    kind: Kind
    time: Int64s
    value: npt.NDArray[np.float64] | Int64s
    """Float64 for the kind FLOAT64, else int64."""

    def __len__(self) -> int:
        return len(self.time)

    def between(self, start_ns: int, end_ns: int) -> Signal:
        """Return the samples in [start, end)."""
        first, last = np.searchsorted(self.time, (start_ns, end_ns))
        return Signal(self.kind, self.time[first:last], self.value[first:last])


@dataclass(frozen=True)
class Shape:
    """A sort of signal: what it is, how often it comes, and how it is made."""

    what: str
    period_ns: int
    """Of its IOC's scan."""
    make: Callable[[np.random.Generator, int, int], Signal]
    """From the start to before the end, in ns."""


def counter(rng: np.random.Generator, start_ns: int, end_ns: int) -> Signal:
    time = _times(rng, start_ns, end_ns, NANOSECONDS // 10)
    first = int(rng.integers(0, 1_000_000))
    return Signal(Kind.INT32, time, np.arange(first, first + len(time), dtype=np.int64))


def reading(rng: np.random.Generator, start_ns: int, end_ns: int) -> Signal:
    time = _times(rng, start_ns, end_ns, NANOSECONDS // 10)
    noise = rng.standard_normal(len(time), dtype=np.float32)
    return Signal(Kind.FLOAT64, time, np.round(52.0 + 0.15 * noise.astype(np.float64), 3))


def temperature(rng: np.random.Generator, start_ns: int, end_ns: int) -> Signal:
    time = _times(rng, start_ns, end_ns, 10 * NANOSECONDS)
    walk = np.cumsum(rng.normal(0.0, 0.01, len(time)))
    return Signal(Kind.FLOAT64, time, np.round(21.0 + walk, 1))


def state(rng: np.random.Generator, start_ns: int, end_ns: int) -> Signal:
    scans = _times(rng, start_ns, end_ns, NANOSECONDS // 10)
    time = scans[rng.random(len(scans)) < 1 / 600]
    steps = rng.integers(1, 4, len(time))
    return Signal(Kind.ENUM, time, np.cumsum(steps).astype(np.int64) % 4)


SHAPES = {
    "counter": Shape("int32, 10 Hz, one more each time", NANOSECONDS // 10, counter),
    "reading": Shape(
        "float64, 10 Hz, 52 with noise of 0.15, steps of 0.001", NANOSECONDS // 10, reading
    ),
    "temperature": Shape(
        "float64, one sample in 10 s, wanders by steps of 0.1", 10 * NANOSECONDS, temperature
    ),
    "enum": Shape(
        "4 states, scanned at 10 Hz, one change a minute at random", NANOSECONDS // 10, state
    ),
}


@dataclass(frozen=True, eq=False)
class Minutes:
    """A sample a minute of many PVs: readings of float64 with steps of 0.01; [pv, minute]."""

    time: Int64s
    value: npt.NDArray[np.float64]


def minutes(rng: np.random.Generator, pvs: range, start_ns: int, end_ns: int) -> Minutes:
    """Make a sample a minute, from a start to before an end that are whole minutes.

    PVs are numbers: a PV has its level and its second of the minute at all times.
    """
    grid = np.arange(start_ns, end_ns, 60 * NANOSECONDS, dtype=np.int64)
    number = np.arange(pvs.start, pvs.stop, dtype=np.int64)[:, None]
    shape = (len(pvs), len(grid))
    phase = number * 7_919_000_017 % (59 * NANOSECONDS)
    time = rng.integers(*LATE_NS, shape, dtype=np.int64)
    time += grid
    time += phase
    value = rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
    value *= 5.0
    np.rint(value, out=value)
    value += 2000.0 + number % 500
    value /= 100.0
    return Minutes(time, value)


def _times(rng: np.random.Generator, start_ns: int, end_ns: int, period_ns: int) -> Int64s:
    grid = np.arange(start_ns, end_ns, period_ns, dtype=np.int64)
    return grid + rng.integers(*LATE_NS, len(grid), dtype=np.int64)
