"""One PV in a table: of what type its column is, and the samples that a window has of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Float64s, Int32s, Int64s, Kind
from linacre.archiver.reading.align import Bools
from linacre.archiver.reading.damage import damage_of
from linacre.archiver.reading.mixing import as_type
from linacre.archiver.reading.windows import Budget
from linacre.archiver.service import Reader

# The stubs are stricter than what they describe.
_ARROW: Any = pa


@dataclass(frozen=True, eq=False)
class Piece:
    """The samples of one PV in a window, in the order of time; n rows."""

    time: Int64s
    value: pa.Array[Any]
    tag: Int32s
    damaged: int = 0
    """Blocks that lack since they are damaged."""

    @property
    def width(self) -> float:
        """Bytes of a value, on average."""
        return self.value.nbytes / len(self.time) if len(self.time) else 8.0

    def numbers(self) -> Float64s:
        """Return the values as float64."""
        return self._numpy().astype(np.float64)

    def integers(self, where: Bools) -> Int64s:
        """Return some of the values as int64, exactly where they are whole numbers."""
        return self._numpy()[where].astype(np.int64)

    def texts(self, history: MetadataHistory) -> pa.Array[Any]:
        """Return the labels of an enum's values, each as it was at its time."""
        return history.texts(self.time, self._numpy())

    def _numpy(self) -> npt.NDArray[Any]:
        value: Any = self.value
        return np.asarray(value.to_numpy(zero_copy_only=False))


@dataclass(frozen=True, eq=False)
class Column:
    """The column of a PV."""

    pv: str
    kind: str
    """What the archive says its values are; empty where it does not say."""
    type: pa.DataType
    """Of its samples' values."""
    linear: bool = False
    """Whether the column is interpolated: float64."""
    labels: MetadataHistory | None = None
    """The labels that stand for numbers, if they do."""

    @property
    def is_number(self) -> bool:
        """Whether values are numbers of which one can say how large they are."""
        return pt.is_integer(self.type) or pt.is_floating(self.type)

    @property
    def field(self) -> pa.Field[Any]:
        """The column's name, type and, as metadata, kind."""
        of = self.type
        if self.labels is not None:
            of = pa.string()
        elif self.linear:
            of = pa.float64()
        return cast("Any", pa.field(self.pv, of, metadata={"linacre.kind": self.kind}))

    def read(self, reader: Reader, start_ns: int, end_ns: int, budget: Budget) -> Piece:
        """Read by the boundary rule, as far as the budget goes."""
        pieces: list[pa.RecordBatch] = []
        damaged = 0
        length = max(end_ns - start_ns, 1)
        batches = reader.stream(self.pv, start_ns, end_ns)
        try:
            for batch in batches:
                damaged = max(damaged, damage_of(batch.schema))
                if not batch.num_rows:
                    continue
                last = int(cast("Any", batch.column("time"))[-1].as_py())
                budget.spend(batch.nbytes, min(1.0, max(0.0, (last - start_ns) / length)))
                pieces.append(batch)
        finally:
            close(batches)
        found = self._piece(pa.Table.from_batches(pieces) if pieces else None)
        return replace(found, damaged=damaged)

    def extended(self, reader: Reader, piece: Piece, after_ns: int) -> Piece:
        """Add the next sample after a time, where it is of the column's type."""
        table = reader.after(self.pv, after_ns, 1)
        more = self._piece(table, strict=False)
        return Piece(
            np.concatenate([piece.time, more.time]),
            _joined([piece.value, more.value], self.type) if len(more.time) else piece.value,
            np.concatenate([piece.tag, more.tag]),
            max(piece.damaged, damage_of(table.schema)),
        )

    def take(self, piece: Piece, index: Int64s) -> pa.Array[Any]:
        """Return the values at places of a piece; -1: null."""
        missing = index < 0
        if missing.all():
            return cast("Any", pa.nulls(len(index), self.field.type))
        value: Any = piece.value if self.labels is None else piece.texts(self.labels)
        return value.take(_ARROW.array(index, mask=missing))

    def _piece(self, table: pa.Table | None, *, strict: bool = True) -> Piece:
        if table is None or not table.num_rows:
            empty = np.zeros(0, np.int64)
            return Piece(empty, cast("Any", pa.array([], self.type)), empty.astype(np.int32))
        columns = cast("Any", table)
        value = as_type(
            _joined(columns.column("value").chunks, columns.column("value").type), self.type
        )
        if value is None:
            if strict:
                raise TypeError(f"{self.pv}: {columns.column('value').type} is no {self.type}")
            return self._piece(None)
        return Piece(columns.column("time").to_numpy(), value, columns.column("tag").to_numpy())


def column_of(
    reader: Reader,
    pv: str,
    start_ns: int,
    end_ns: int,
    *,
    linear: bool = False,
    labels: bool = False,
) -> Column:
    """Return the column of a PV, whose type is the one that its samples in a time have in common.

    Numbers that are no enum may be interpolated; enums may be told by their labels, each sample
    by those that held at its time.
    """
    batches = reader.stream(pv, start_ns, end_ns)
    try:
        first = next(batches, None)
    finally:
        close(batches)
    schema = reader.samples(pv, start_ns, start_ns).schema if first is None else first.schema
    kind = ((schema.metadata or {}).get(b"linacre.kind") or b"").decode()
    column = Column(pv, kind, cast("Any", schema).field("value").type)
    if kind == Kind.ENUM:
        return replace(column, labels=_labels(reader, pv, first, end_ns)) if labels else column
    return replace(column, linear=linear and column.is_number)


def _labels(
    reader: Reader, pv: str, first: pa.RecordBatch | None, end_ns: int
) -> MetadataHistory | None:
    """Return the labels from the first sample on, which may be long before the start.

    They are those of the next sample after the end too, which may be nearer than the one before.
    """
    begin_ns = end_ns
    if first is not None and first.num_rows:
        begin_ns = int(cast("Any", first.column("time"))[0].as_py())
    after = cast("Any", reader.after(pv, end_ns, 1)).column("time").to_pylist()
    history = reader.metadata_history(pv, min(begin_ns, end_ns), max([end_ns, *after]))
    return history if history.is_labelled else None


def close(batches: object) -> None:
    """End a generator that is not read to its end: behind it may be a connection or a file."""
    if isinstance(batches, Generator):
        cast("Generator[object]", batches).close()


def _joined(arrays: list[Any], of: pa.DataType) -> pa.Array[Any]:
    if len(arrays) == 1:
        return arrays[0]
    return _ARROW.concat_arrays(arrays) if arrays else _ARROW.array([], of)
