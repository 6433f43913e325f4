"""Stand-ins: a part of the store that is a few arrays, a clock, a source of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from linacre.archiver.model import (
    BlobBatch,
    ChannelSpec,
    Drained,
    Kind,
    Notice,
    NoticeKind,
    ScalarBatch,
    Series,
    SeriesIds,
)
from linacre.archiver.store.part import Columns, arrow_type

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


def columns(kind: Kind, time: Sequence[int], value: Sequence[object], severity=None) -> Columns:
    n = len(time)
    return Columns(
        kind=kind,
        time=np.array(time, np.int64),
        value=pa.array(value, arrow_type(kind)),
        severity=np.zeros(n, np.int8) if severity is None else np.array(severity, np.int8),
        status=np.zeros(n, np.int16),
        tag=np.arange(n, dtype=np.int32),
    )


def rows(c: Columns, at: slice) -> Columns:
    value = c.value[at.start : at.stop]
    return Columns(c.kind, c.time[at], value, c.severity[at], c.status[at], c.tag[at])


@dataclass(frozen=True, eq=False)
class FakeSteps:
    """Roll-ups by plain loops."""

    start: np.ndarray
    count: np.ndarray
    sum: np.ndarray
    sum_squares: np.ndarray
    mean: np.ndarray
    m2: np.ndarray
    min: np.ndarray
    max: np.ndarray
    first: np.ndarray
    last: np.ndarray
    severity: np.ndarray

    @classmethod
    def of(cls, time, value, severity, step: int) -> FakeSteps:
        found = []
        for start in np.unique(time // step * step):
            inside = time // step * step == start
            v = value[inside]
            v = v[~np.isnan(v)]
            worst = severity[inside].max()
            mean = v.mean() if len(v) else 0
            row = [start, len(v), v.sum(), (v * v).sum(), mean, ((v - mean) ** 2).sum()]
            row += [v.min(), v.max(), v[0], v[-1]] if len(v) else [np.nan] * 4
            found.append([*row, worst])
        table = list(zip(*found, strict=True)) or [()] * 11
        types = [np.int64, np.int64, *[np.float64] * 8, np.int8]
        arrays = [np.array(c, t) for c, t in zip(table, types, strict=True)]
        return cls(*arrays)


@dataclass(eq=False)
class FakePart:
    """Samples of some PVs; with `rolled`, roll-ups of 1, 60 and 3600 s too."""

    held: Mapping[str, Sequence[Columns]]

    def span(self, pv: str) -> tuple[int, int] | None:
        pieces = [c for c in self.held.get(pv, ()) if len(c)]
        return (int(pieces[0].time[0]), int(pieces[-1].time[-1])) if pieces else None

    def pvs(self) -> frozenset[str]:
        return frozenset(pv for pv in self.held if self.span(pv))

    def read(self, pv: str, start_ns: int, end_ns: int) -> Iterator[Columns]:
        for c in self.held.get(pv, ()):
            a, b = np.searchsorted(c.time, (start_ns, end_ns), side="right")
            if a < b:
                yield rows(c, slice(a, b))

    def last(self, pv: str, time_ns: int) -> Columns | None:
        for c in reversed(self.held.get(pv, ())):
            n = int(np.searchsorted(c.time, time_ns, side="right"))
            if n:
                return rows(c, slice(n - 1, n))
        return None

    def lacks(self, pv: str, start_ns: int, end_ns: int) -> int:
        return 0

    def lacks_steps(self, pv: str, start_ns: int, end_ns: int) -> int:
        return 0

    def first(self, pv: str, time_ns: int, count: int = 1) -> Iterator[Columns]:
        for c in self.read(pv, time_ns, 2**62):
            if count > 0:
                yield rows(c, slice(0, count))
                count -= min(count, len(c))


class RolledFakePart(FakePart):
    @property
    def first_ns(self) -> int:
        return min(self.span(pv)[0] for pv in self.pvs()) if self.pvs() else 0

    @property
    def last_ns(self) -> int:
        return max(self.span(pv)[1] for pv in self.pvs()) if self.pvs() else -1

    def steps(self, pv: str) -> tuple[int, ...]:
        return (1, 60, 3600)

    def rollups(self, pv: str, step_s: int, start_ns: int, end_ns: int) -> FakeSteps:
        pieces = list(self.read(pv, start_ns - 1, end_ns - 1))
        time = np.concatenate([c.time for c in pieces] or [np.zeros(0, np.int64)])
        value = np.concatenate([c.value.to_numpy() for c in pieces] or [np.zeros(0)])
        severity = np.concatenate([c.severity for c in pieces] or [np.zeros(0, np.int8)])
        return FakeSteps.of(time, value.astype(float), severity, step_s * SECOND)


@dataclass
class FakeClock:
    """A clock that stands until it is moved."""

    seconds: float = START / SECOND
    running: float = 0.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.running

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.seconds += seconds
        self.running += seconds


@dataclass
class FakeSource:
    """A source whose samples the test makes."""

    ids: SeriesIds
    clock: FakeClock
    specs: dict[str, ChannelSpec] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    scalars: list[ScalarBatch] = field(default_factory=list)
    blobs: list[BlobBatch] = field(default_factory=list)
    untold: list[Notice] = field(default_factory=list)
    """What `close` returns."""
    closed: bool = False
    fails: Exception | None = None
    more: bool = False
    held_back: list[list[ScalarBatch]] = field(default_factory=list)
    """What later drains give, one after the other."""
    delay_s: float = 0.0
    """What adding or removing a PV takes."""

    def add(self, spec: ChannelSpec) -> None:
        self.clock.move(self.delay_s)
        self.specs[spec.pv] = spec

    def remove(self, pv: str) -> None:
        self.clock.move(self.delay_s)
        self.specs.pop(pv, None)

    def drain(self) -> Drained:
        if self.fails is not None:
            raise self.fails
        more = self.more or bool(self.held_back)
        drained = Drained(self.notices, self.scalars, self.blobs, more)
        self.notices, self.scalars, self.blobs = [], [], []
        if self.held_back:
            self.scalars = self.held_back.pop(0)
        return drained

    def close(self) -> list[Notice]:
        self.closed = True
        return self.untold

    # What a test makes happen.

    def connect(self, pv: str, kind: Kind = Kind.FLOAT64, native: str = "DBR_DOUBLE") -> Series:
        series = self.ids.series(pv, kind, native)
        detail = {"host": "127.0.0.1:5064", "native": native, "count": 1}
        self.tell(NoticeKind.CONNECTED, pv, detail, series)
        return series

    def tell(
        self,
        kind: NoticeKind,
        pv: str,
        detail=None,
        series: Series | None = None,
        from_ns: int | None = None,
    ) -> None:
        now = int(self.clock.now() * SECOND)
        self.notices.append(Notice(kind, pv, now, series, detail or {}, from_ns))

    def put(self, series: Series, time: Sequence[int], value: Sequence[float]) -> None:
        n = len(time)
        number = np.array(value, np.float64 if "float" in series.kind.value else np.int64)
        self.scalars.append(
            ScalarBatch(
                series=np.full(n, series.id, np.int32),
                time=np.array(time, np.int64),
                value=number.view(np.int64),
                severity=np.zeros(n, np.int8),
                status=np.zeros(n, np.int16),
                tag=np.zeros(n, np.int32),
            )
        )

    def put_texts(self, series: Series, time: Sequence[int], texts: Sequence[str]) -> None:
        n = len(time)
        data = [text.encode() for text in texts]
        offset = np.cumsum([0, *[len(one) for one in data]])
        self.blobs.append(
            BlobBatch(
                series=np.full(n, series.id, np.int32),
                time=np.array(time, np.int64),
                severity=np.zeros(n, np.int8),
                status=np.zeros(n, np.int16),
                tag=np.zeros(n, np.int32),
                count=np.array([len(one) for one in data], np.int32),
                offset=offset.astype(np.int64),
                data=memoryview(b"".join(data)),
            )
        )
