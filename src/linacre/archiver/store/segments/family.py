"""Writes the Parquet files of one family: cuts rows into row groups and notes where PVs are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from linacre.archiver.model import Int64s, Kind
from linacre.archiver.store.files import File, Files
from linacre.archiver.store.segments.description import PartFile
from linacre.archiver.store.segments.encoding import Family, writer_options
from linacre.archiver.store.segments.index import Entry, Group
from linacre.archiver.store.segments.limits import Limits
from linacre.archiver.store.segments.names import Level

_parquet: Any = parquet
_pa: Any = pa
_AT_ONCE = 1 << 20


class Run(NamedTuple):
    """Rows of one PV in a batch: all it has in the segment, or a piece of them."""

    pv: str
    kind: Kind
    rows: int
    """In this batch."""
    total: int
    """About how many it has in the segment."""
    units: int
    """The same in rows of numbers of equal size, see `Limits`."""
    span_ns: int
    """About how much time they span."""
    step_s: int = 0
    """Of roll-ups; 0 for samples."""
    ends: bool = True
    """Whether these are its last."""


@dataclass
class Written:
    """What one family has in a segment; row groups count from the family's first."""

    parts: list[PartFile] = field(default_factory=list[PartFile])
    footers: list[bytes] = field(default_factory=list[bytes])
    groups: list[Group] = field(default_factory=list[Group])
    """Their parts count from the family's first."""
    entries: list[Entry] = field(default_factory=list[Entry])


class FamilyWriter:
    """Takes PVs in order, each of whose rows come in the order of time."""

    def __init__(
        self, folder: Path, family: Family, level: Level, *, files: Files, limits: Limits
    ) -> None:
        self._folder = folder
        self._family = family
        self._schema = family.schema
        self._options = writer_options(family, level)
        self._files = files
        self._limits = limits
        self._written = Written()
        self._sink: _Sink | None = None
        self._writer: Any = None
        # Of the row group to come: slices of batches, runs of PVs, rows and units.
        self._slices: list[tuple[Any, Int64s, int, int]] = []
        self._runs: list[tuple[str, int]] = []
        self._rows = 0
        self._units = 0
        self._open: tuple[Entry, int] | None = None
        """The PV that goes on, as it began, and its rows so far."""

    def add(self, batch: Any, time: Int64s, runs: Sequence[Run]) -> None:
        """Add a `pa.RecordBatch` of all columns but `pv`; `time` is what the index shows."""
        at = 0
        for run in runs:
            self._add(batch, time, at, run)
            at += run.rows

    def finish(self) -> Written:
        """Write what is left, make it safe, and return what there is."""
        self._close_group()
        self._close_part()
        return self._written

    def abandon(self) -> None:
        """Give up the open file."""
        if self._sink is not None:
            self._sink.abandon()
            self._sink = self._writer = None

    def _add(self, batch: Any, time: Int64s, at: int, run: Run) -> None:
        own = run.units >= self._limits.own_rows
        if self._open is None:
            if own or self._units + run.units > self._limits.group_rows:
                self._close_group()
            place = (len(self._written.groups), 1, self._rows, 0)
            times = (int(time[at]), int(time[at]))
            self._open = Entry(run.pv, run.kind, run.step_s, *place, *times), 0
        begun, before = self._open
        groups = -(-run.units // self._limits.group_rows)
        most = -(-run.total // groups) if own else run.rows + self._rows
        left, end = at, at + run.rows
        while left < end:
            if own and self._rows >= most:
                self._close_group()
            taken = min(end - left, most - self._rows)
            self._take(batch, time, left, left + taken, run.pv)
            left += taken
        rows = before + run.rows
        self._open = begun, rows
        self._units += 0 if own else -(-run.units * run.rows // run.total)
        if run.ends:
            count = len(self._written.groups) - begun.group + 1
            place = (begun.group, count, begun.row, rows, begun.first_ns, int(time[end - 1]))
            self._written.entries.append(Entry(begun.pv, begun.kind, begun.step_s, *place))
            self._open = None
            if own:
                self._close_group()

    def _take(self, batch: Any, time: Int64s, begin: int, end: int, pv: str) -> None:
        last = self._slices[-1] if self._slices else None
        if last is not None and last[0] is batch and last[3] == begin:
            self._slices[-1] = batch, time, last[2], end
        else:
            self._slices.append((batch, time, begin, end))
        self._runs.append((pv, end - begin))
        self._rows += end - begin

    def _close_group(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._begin_part()
        sink = self._sink
        assert sink is not None
        slices = [batch.slice(begin, end - begin) for batch, _, begin, end in self._slices]
        table: Any = _pa.Table.from_batches(slices)
        sizes = [rows for _, rows in self._runs]
        index = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        names = _pa.array([pv for pv, _ in self._runs], _pa.string())
        pv = _pa.DictionaryArray.from_arrays(_pa.array(index), names)
        arrays = [pv, *table.columns]
        table = _pa.Table.from_arrays(arrays, schema=self._schema)
        offset = sink.begin_group()
        writer: Any = self._writer
        writer.write_table(table, row_group_size=self._rows)
        size, crc = sink.end_group()
        groups = self._written.groups
        within = len(groups) % self._limits.groups
        _, first, begin, _ = self._slices[0]
        _, last, _, end = self._slices[-1]
        place = (len(self._written.parts), within, crc, self._rows, offset, size, table.nbytes)
        groups.append(Group(*place, int(first[begin]), int(last[end - 1])))
        self._slices, self._runs, self._rows, self._units = [], [], 0, 0
        if within + 1 == self._limits.groups:
            self._close_part()

    def _begin_part(self) -> None:
        name = f"{self._family.name}-{len(self._written.parts):03d}.parquet"
        self._sink = _Sink(self._files.create(self._folder / name))
        self._writer = _parquet.ParquetWriter(self._sink, self._schema, **self._options)

    def _close_part(self) -> None:
        if (sink := self._sink) is None:
            return
        sink.begin_group()
        self._writer.close()
        tail = sink.tail()
        sink.finish()
        self._sink = self._writer = None
        written = self._written
        number = len(written.parts)
        mine = [group for group in written.groups if group.part == number]
        written.footers.append(tail[:-8])
        written.parts.append(
            PartFile(
                file=sink.file.path.name,
                family=self._family.name,
                bytes=sink.size,
                footer_bytes=len(tail) - 8,
                footer_crc32=zlib.crc32(tail[:-8]),
                rows=sum(group.rows for group in mine),
                row_groups=len(mine),
            )
        )


class _Sink:
    """What Arrow writes on: a file, with the checksum of what is written of a row group."""

    closed = False

    def __init__(self, file: File) -> None:
        self.file = file
        self.size = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._group: list[bytes] = []
        self._begun = 0
        self._abandoned = False

    def write(self, data: bytes) -> int:
        # Arrow ends a file that failed with its metadata; nothing more is to be written then.
        if not self._abandoned:
            self.size += len(data)
            self._group.append(data)
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            if self._waiting_bytes >= _AT_ONCE:
                self._write()
        return len(data)

    def begin_group(self) -> int:
        """Return where a row group begins."""
        self._group, self._begun = [], self.size
        return self.size

    def end_group(self) -> tuple[int, int]:
        """Return the bytes of the row group, and their checksum."""
        crc = 0
        for data in self._group:
            crc = zlib.crc32(data, crc)
        return self.size - self._begun, crc

    def tail(self) -> bytes:
        """Return what was written since a row group began."""
        return b"".join(self._group)

    def finish(self) -> None:
        self._write()
        self.file.sync()
        self.file.close()

    def abandon(self) -> None:
        self._abandoned = True
        self._waiting = []
        self.file.close()

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self.size

    def _write(self) -> None:
        write_all(self.file, b"".join(self._waiting))
        self._waiting, self._waiting_bytes = [], 0


def write_all(file: File, content: bytes) -> None:
    """Write all, however little a call writes."""
    left = memoryview(content)
    while left:
        left = left[file.append([left]) :]
