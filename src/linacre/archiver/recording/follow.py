"""New samples for those who look on live: a slow one loses the oldest and holds up nobody."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from linacre.archiver.model import BlobBatch, ScalarBatch, Series
from linacre.archiver.reading.mixed import table_of
from linacre.archiver.store.columns import blob_columns, scalar_columns
from linacre.archiver.store.part import Columns

MOST_ROWS = 50_000
MOST_BYTES = 64 * 2**20
"""What waits for one follower; what is older is lost to it."""


@dataclass
class _Lost:
    samples: dict[str, int] = field(default_factory=dict[str, int])


class Follow:
    """A follower: what came of its PVs and it has not yet taken."""

    def __init__(self, pvs: Sequence[str], gone: Callable[[Follow], None]) -> None:
        self.pvs = frozenset(pvs)
        self._gone = gone
        self._ready = threading.Condition()
        self._waiting: deque[tuple[str, Columns]] = deque()
        self._rows = 0
        self._bytes = 0
        self._lost: dict[str, int] = {}
        self._closed = False

    def take(self, timeout_s: float) -> Mapping[str, pa.Table]:
        """Wait for samples, at most so long; `SAMPLE_FIELDS` by PV."""
        with self._ready:
            self._ready.wait_for(lambda: bool(self._waiting) or self._closed, timeout_s)
            waiting, self._waiting = self._waiting, deque()
            lost, self._lost = self._lost, {}
            self._rows = self._bytes = 0
        pieces: dict[str, list[Columns]] = {}
        for pv, columns in waiting:
            pieces.setdefault(pv, []).append(columns)
        return {pv: _table(held, lost.get(pv, 0)) for pv, held in pieces.items()}

    def close(self) -> None:
        """End it, and wake who waits."""
        self._gone(self)
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def push(self, pv: str, columns: Columns) -> None:
        """Give it samples; their memory is its own."""
        with self._ready:
            self._waiting.append((pv, columns))
            self._rows += len(columns)
            self._bytes += _size(columns)
            while len(self._waiting) > 1 and (self._rows > MOST_ROWS or self._bytes > MOST_BYTES):
                old_pv, old = self._waiting.popleft()
                self._rows -= len(old)
                self._bytes -= _size(old)
                self._lost[old_pv] = self._lost.get(old_pv, 0) + len(old)
            self._ready.notify_all()


class Followers:
    """All followers; without any it costs nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Follow, ...] = ()

    def follow(self, pvs: Sequence[str]) -> Follow:
        """Begin to give new samples of some PVs."""
        follow = Follow(pvs, self._drop)
        with self._lock:
            self._held = (*self._held, follow)
        return follow

    def push(
        self,
        scalars: Sequence[ScalarBatch],
        blobs: Sequence[BlobBatch],
        series_of: Callable[[], Sequence[Series]],
    ) -> None:
        """Give what was stored to those who wait for it; `series_of` lists all series."""
        held = self._held
        if not held or not (scalars or blobs):
            return
        wanted = frozenset[str]().union(*(follow.pvs for follow in held))
        series = [one for one in series_of() if one.pv in wanted]
        if not series:
            return
        chosen = np.zeros(max(one.id for one in series) + 1, np.bool_)
        chosen[[one.id for one in series]] = True
        by_id = {one.id: one for one in series}
        for batch in (*scalars, *blobs):
            for one, rows in _chosen_rows(batch, chosen, by_id):
                columns = _columns(one, batch, rows)
                for follow in held:
                    if one.pv in follow.pvs:
                        follow.push(one.pv, columns)

    def close(self) -> None:
        """End all."""
        for follow in self._held:
            follow.close()

    def _drop(self, follow: Follow) -> None:
        with self._lock:
            self._held = tuple(one for one in self._held if one is not follow)


def _chosen_rows(
    batch: ScalarBatch | BlobBatch, chosen: Any, by_id: Mapping[int, Series]
) -> Iterator[tuple[Series, Any]]:
    known = np.minimum(batch.series, len(chosen) - 1)
    rows = np.flatnonzero(chosen[known] & (batch.series < len(chosen)))
    for number in np.unique(batch.series[rows]).tolist():
        yield by_id[number], rows[batch.series[rows] == number]


def _columns(series: Series, batch: ScalarBatch | BlobBatch, rows: Any) -> Columns:
    if isinstance(batch, ScalarBatch):
        return scalar_columns(series.kind, batch, rows)
    columns = blob_columns(series.kind, batch, rows)
    # Neighbouring values share the memory of the batch, which the source will use again.
    value: Any = columns.value
    copied = value.take(pa.array(np.arange(len(columns))))
    return Columns(
        columns.kind, columns.time, copied, columns.severity, columns.status, columns.tag
    )


def _size(columns: Columns) -> int:
    value: Any = columns.value
    return int(value.nbytes) + 15 * len(columns)


def _table(pieces: Sequence[Columns], lost: int) -> pa.Table:
    table = table_of(pieces, otherwise=pieces[0].kind)
    if not lost:
        return table
    metadata: Any = {**(table.schema.metadata or {}), b"linacre.lost": str(lost).encode()}
    return table.replace_schema_metadata(metadata)
