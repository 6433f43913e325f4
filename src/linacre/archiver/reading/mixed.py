"""Tables of samples from columns of one kind or of several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from linacre.archiver.model import Kind
from linacre.archiver.reading.damage import DAMAGED
from linacre.archiver.store.part import Columns, arrow_type

# The stubs are stricter than what they describe.
_ARROW: Any = pa
_COMPUTE: Any = pc
_NUMBERS = frozenset({Kind.FLOAT64, Kind.FLOAT32, Kind.INT64, Kind.UINT64, Kind.INT32, Kind.ENUM})
_ARRAYS = frozenset(
    {
        *(Kind.FLOAT64_ARRAY, Kind.FLOAT32_ARRAY, Kind.INT64_ARRAY, Kind.UINT64_ARRAY),
        *(Kind.INT32_ARRAY, Kind.INT16_ARRAY),
    }
)


def common_kind(kinds: Iterable[Kind]) -> Kind:
    """Return as what values of several kinds are read: numbers as float64, else as strings.

    Arrays of numbers are arrays of float64. None at all: float64.
    """
    found = set(kinds)
    if len(found) == 1:
        return found.pop()
    if found <= _NUMBERS:
        return Kind.FLOAT64
    return Kind.FLOAT64_ARRAY if found <= _ARRAYS else Kind.STRING


@dataclass(frozen=True)
class Shape:
    """Of what type the samples of a table are."""

    kind: Kind
    damaged: int = 0
    """Blocks that lack."""

    @property
    def schema(self) -> pa.Schema:
        """The columns and the metadata that say of what kind values are and what lacks."""
        metadata: dict[bytes | str, bytes | str] = {"linacre.kind": self.kind.value}
        if self.damaged:
            metadata[DAMAGED] = str(self.damaged)
        types: list[tuple[str, pa.DataType]] = [
            ("time", pa.int64()),
            ("value", arrow_type(self.kind)),
            ("severity", pa.int8()),
            ("status", pa.int16()),
            ("tag", pa.int32()),
        ]
        return pa.schema(types, metadata=metadata)

    def batch(self, columns: Columns) -> pa.RecordBatch:
        """Return columns as a batch of this type."""
        arrays: list[pa.Array[Any]] = [
            pa.array(columns.time),
            as_kind(columns, self.kind),
            pa.array(columns.severity),
            pa.array(columns.status),
            pa.array(columns.tag),
        ]
        return _ARROW.RecordBatch.from_arrays(arrays, schema=self.schema)

    def nothing(self) -> pa.RecordBatch:
        """Return a batch of no samples."""
        empty = self.schema.empty_table()
        return _ARROW.RecordBatch.from_arrays(
            [column.combine_chunks() for column in cast("Any", empty).columns], schema=self.schema
        )

    def table(self, pieces: Sequence[Columns]) -> pa.Table:
        """Return columns one after the other as a table of this type."""
        return pa.Table.from_batches([self.batch(piece) for piece in pieces], self.schema)


def table_of(pieces: Sequence[Columns], *, otherwise: Kind, damaged: int = 0) -> pa.Table:
    """Return columns as a table of the type that fits all; `otherwise` is that of an empty one."""
    kinds = {piece.kind for piece in pieces} or {otherwise}
    return Shape(common_kind(kinds), damaged).table(pieces)


def as_kind(columns: Columns, kind: Kind) -> pa.Array[Any]:
    """Return the values as those of another kind that holds them."""
    value = columns.value
    if columns.kind is kind or value.type == arrow_type(kind):
        return value
    if kind is Kind.STRING:
        return pa.array([_text(one) for one in value.to_pylist()], pa.string())
    # Safe casts refuse integers that a float64 cannot tell apart.
    return _COMPUTE.cast(value, arrow_type(kind), safe=False)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return json.dumps(value)
    return str(value)
