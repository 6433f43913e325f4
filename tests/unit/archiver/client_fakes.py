"""An archive in memory, and what a table of it should be, worked out one row at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Kind, Metadata
from linacre.archiver.reading.damage import DAMAGED, nothing
from linacre.archiver.service import Event, NoSuchPvError
from linacre.archiver.store.part import arrow_type


def samples_of(
    kind: Kind, times: Sequence[int], values: Sequence[Any], tags: Sequence[int] | None = None
) -> pa.Table:
    n = len(times)
    return pa.table(
        {
            "time": pa.array(np.asarray(times, dtype=np.int64)),
            "value": pa.array(values, arrow_type(kind)),
            "severity": pa.array(np.arange(n) % 4, pa.int8()),
            "status": pa.array(np.zeros(n), pa.int16()),
            "tag": pa.array(np.zeros(n) if tags is None else tags, pa.int32()),
        }
    ).replace_schema_metadata({"linacre.kind": kind.value})


@dataclass
class FakeReader:
    """A `Reader` by the letter of the protocol."""

    tables: Mapping[str, pa.Table]
    known: Mapping[str, Metadata] = field(default_factory=dict)
    changed: Mapping[str, MetadataHistory] = field(default_factory=dict)
    happened: Sequence[Event] = ()
    damaged: Mapping[str, int] = field(default_factory=dict)
    batch_rows: int = 3
    batches_given: int = 0
    most_rows_asked: int = 0

    def pvs(self, pattern: str = "*") -> list[str]:
        return sorted(pv for pv in self.tables if fnmatchcase(pv, pattern))

    def samples(self, pv: str, start_ns: int, end_ns: int) -> pa.Table:
        table = self._table(pv)
        times = table.column("time").to_numpy()
        first = max(int(np.searchsorted(times, start_ns, side="right")) - 1, 0)
        last = int(np.searchsorted(times, end_ns, side="right"))
        self.most_rows_asked = max(self.most_rows_asked, last - first)
        return self._told(pv, table.slice(first, max(last - first, 0)))

    def _told(self, pv: str, table: pa.Table) -> pa.Table:
        if pv not in self.damaged:
            return table
        said = {**(table.schema.metadata or {}), DAMAGED: str(self.damaged[pv])}
        return table.replace_schema_metadata(said)

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        told = self.samples(pv, start_ns, end_ns)
        table = told.replace_schema_metadata(self._table(pv).schema.metadata)
        if not table.num_rows and pv not in self.damaged:
            yield nothing(table.schema)
        for batch in table.to_batches(max_chunksize=self.batch_rows):
            self.batches_given += 1
            yield batch
        if pv in self.damaged:
            yield nothing(told.schema)

    def bins(self, pv: str, start_ns: int, end_ns: int, n: int) -> pa.Table:
        edges = start_ns + (end_ns - start_ns) * np.arange(n + 1) // n
        self._table(pv)
        rows = pa.table({"start": edges[:-1], "end": edges[1:], "mean": np.arange(n) * 1.0})
        return self._told(pv, rows)

    def after(self, pv: str, time_ns: int, count: int = 1) -> pa.Table:
        table = self._table(pv)
        first = int(np.searchsorted(table.column("time").to_numpy(), time_ns, side="right"))
        return self._told(pv, table.slice(first, count))

    def metadata(self, pv: str, at_ns: int | None = None) -> Metadata:
        self._table(pv)
        if pv in self.changed:
            return self.changed[pv].at(2**62 if at_ns is None else at_ns)
        return self.known.get(pv, Metadata())

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        self._table(pv)
        if pv not in self.changed:
            return MetadataHistory(said=(self.known.get(pv, Metadata()),))
        held = self.changed[pv]
        inside = [(at, held.at(at)) for at in held.from_ns if start_ns < at <= end_ns]
        times, said = zip((start_ns, held.at(start_ns)), *inside, strict=True)
        return MetadataHistory(times, said)

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        return [e for e in self.happened if pv in (None, e.pv) and start_ns < e.time_ns <= end_ns]

    def _table(self, pv: str) -> pa.Table:
        if pv not in self.tables:
            raise NoSuchPvError(pv)
        return self.tables[pv]


def expected(
    times: Sequence[int],
    values: Sequence[Any],
    row: int,
    *,
    align: str,
    tolerance: int | None = None,
    linear: bool = False,
) -> Any:
    """What a table has at a time, by the definition."""
    before = [k for k, t in enumerate(times) if t <= row]
    after = [k for k, t in enumerate(times) if t > row]
    far = float("inf") if tolerance is None else tolerance
    if align == "linear" and linear:
        if not before:
            return None
        k = before[-1]
        if times[k] == row:
            return float(values[k])
        if not after or row - times[k] > far or times[after[0]] - row > far:
            return None
        share = (row - times[k]) / (times[after[0]] - times[k])
        return values[k] + (values[after[0]] - values[k]) * share
    near = before[-1:]
    if align == "nearest":
        near = sorted(before[-1:] + after[:1], key=lambda k: abs(times[k] - row))[:1]
    if not near or abs(times[near[0]] - row) > far:
        return None
    return values[near[0]]
