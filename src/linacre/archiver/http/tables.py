"""Samples of several PVs as one table, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from linacre.archiver.history import MetadataHistory
from linacre.archiver.http.formats import Format, Head, Piece, Times, encode
from linacre.archiver.http.texts import json_texts
from linacre.archiver.model import Kind
from linacre.archiver.reading.damage import damage_of
from linacre.archiver.service import Reader

_ARROW: Any = pa
_COMPUTE: Any = pc
_LABEL = pa.field("label", pa.string())
_KEPT_ROWS = 4096
"""A first piece of more rows is read again when its turn comes, not kept for a hundred PVs."""


@dataclass
class _Opened:
    """A PV's samples, of which the first piece was looked at."""

    pv: str
    schema: pa.Schema
    stream: Iterator[pa.RecordBatch] | None
    first: pa.RecordBatch | None
    begin_ns: int = 0
    """When the first sample is from."""
    labels: MetadataHistory | None = None
    """Of an enum, where they are asked for."""

    @property
    def kind(self) -> str:
        return _told(self.schema, b"linacre.kind")


def _told(schema: pa.Schema, key: bytes) -> str:
    metadata: Any = schema.metadata or {}
    return metadata.get(key, b"").decode()


def kind_of(schema: pa.Schema) -> str | None:
    """Return the kind that a table of samples says it has."""
    return _told(schema, b"linacre.kind") or None


def samples_in(
    chosen: Format,
    reader: Reader,
    pvs: Sequence[str],
    *,
    start_ns: int,
    end_ns: int,
    times: Times = Times.NS,
    labels: bool = False,
) -> Iterator[bytes]:
    """Give samples of PVs, one PV after the other, in a format.

    `labels` adds a column `label`: of an enum's sample as it was at its time, else null.
    Several have a first column `pv`. In Arrow and Parquet their values have one type: their own,
    else float64 for numbers, else text. Raises `NoSuchPvError` before the first piece.
    """
    opened = [_open(reader, pv, start_ns, end_ns, alone=len(pvs) == 1) for pv in pvs]
    typed = chosen in (Format.ARROW, Format.PARQUET)
    for one in opened if labels else ():
        if one.kind == Kind.ENUM:
            one.labels = reader.metadata_history(one.pv, min(one.begin_ns, end_ns), end_ns)
    schema = _schema(opened, typed=typed)
    if labels:
        schema = cast("Any", schema).append(_LABEL)
    head = Head(
        schema,
        {one.pv: one.kind for one in opened if one.kind},
    )
    try:
        yield from encode(
            chosen,
            head,
            _pieces(opened, reader, start_ns, end_ns, head, typed=typed),
            times,
        )
    finally:
        for one in opened:
            _close(one.stream)


def _open(reader: Reader, pv: str, start_ns: int, end_ns: int, *, alone: bool) -> _Opened:
    stream = iter(reader.stream(pv, start_ns, end_ns))
    first = next(stream, None)
    if first is None:
        return _Opened(pv, reader.samples(pv, start_ns, end_ns).schema, stream, None)
    if alone or first.num_rows <= _KEPT_ROWS:
        return _Opened(pv, first.schema, stream, first, begin_ns=_first_time(first, start_ns))
    _close(stream)
    return _Opened(pv, first.schema, None, None, begin_ns=_first_time(first, start_ns))


def _close(stream: object) -> None:
    close: Callable[[], None] | None = getattr(stream, "close", None)
    if close is not None:
        close()


def _schema(opened: Sequence[_Opened], *, typed: bool) -> pa.Schema:
    first: Any = opened[0].schema
    if len(opened) == 1:
        return first
    types = [_field(one.schema, "value") for one in opened]
    common: Any = types[0]
    if typed and any(one != common for one in types):
        numbers = all(_is_number(one) for one in types)
        common = pa.float64() if numbers else pa.string()
    position = first.get_field_index("value")
    whole: Any = first.set(position, pa.field("value", common)).remove_metadata()
    return whole.insert(0, pa.field("pv", pa.dictionary(pa.int32(), pa.string())))


def _field(schema: Any, name: str) -> Any:
    return schema.field(name).type


def _is_number(kind: Any) -> bool:
    return _ARROW.types.is_integer(kind) or _ARROW.types.is_floating(kind)


def _pieces(
    opened: Sequence[_Opened],
    reader: Reader,
    start_ns: int,
    end_ns: int,
    head: Head,
    *,
    typed: bool,
) -> Iterator[Piece]:
    """Give the rows of all; what lacks of a PV is in the head when its rows were given."""
    alone = len(opened) == 1
    labelled = _LABEL.name in head.schema.names
    for one in opened:
        stream = one.stream or iter(reader.stream(one.pv, start_ns, end_ns))
        one.stream = stream
        first, one.first = one.first, None
        damaged = 0
        for piece in chain([] if first is None else [first], stream):
            told = _labelled(piece, one.labels) if labelled else piece
            if not alone:
                told = _named(one.pv, told, head.schema if typed else None)
            damaged = max(damaged, damage_of(piece.schema))
            yield Piece(told, struct=one.kind == Kind.STRUCT)
        if damaged:
            head.damaged[one.pv] = damaged
        _close(stream)


def _first_time(batch: Any, start_ns: int) -> int:
    """Return when the first sample is from: it may be long before the start."""
    return batch["time"][0].as_py() if batch.num_rows else start_ns


def _labelled(batch: Any, history: MetadataHistory | None) -> pa.RecordBatch:
    texts: Any = pa.nulls(batch.num_rows, pa.string())
    if history is not None:
        texts = history.texts(batch["time"].to_numpy(), batch["value"].to_numpy())
    schema = batch.schema.append(_LABEL)
    return _ARROW.RecordBatch.from_arrays([*batch.columns, texts], schema=schema)


def _named(pv: str, batch: Any, schema: Any | None) -> pa.RecordBatch:
    """Return a batch with its PV's name as first column; of a schema's types if there is one."""
    names = _ARROW.DictionaryArray.from_arrays(
        pa.array([0] * batch.num_rows, pa.int32()), pa.array([pv], pa.string())
    )
    named: Any = _ARROW.RecordBatch.from_arrays(
        [names, *batch.columns], names=["pv", *batch.schema.names]
    )
    if schema is None:
        return named
    columns = [_cast(named[field.name], field.type) for field in schema]
    return _ARROW.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: Any, wanted: Any) -> Any:
    if column.type == wanted:
        return column
    if wanted == pa.string():
        plain = _is_number(column.type)
        return _COMPUTE.cast(column, wanted) if plain else json_texts(column)
    if _is_number(wanted) and _is_number(column.type):
        return _COMPUTE.cast(column, wanted, safe=False)
    return column
