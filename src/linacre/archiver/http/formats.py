"""Tables as Arrow IPC, Parquet, JSON and CSV, encoded piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from linacre.archiver.http.texts import iso_texts, json_texts
from linacre.archiver.reading.damage import damage_of, footer_of, nothing
from linacre.base.errors import UserError

_ARROW: Any = pa
_COMPUTE: Any = pc
_PIECE_BYTES = 1 << 20
"""Text of JSON and CSV is made for about so many bytes of columns at a time."""
_GROUP_ROWS = 1 << 17
_GROUP_BYTES = 16 << 20
"""A row group of Parquet has at most so much, so that large arrays do not fill the memory."""


class Format(StrEnum):
    """How a table is sent."""

    ARROW = "arrow"
    PARQUET = "parquet"
    JSON = "json"
    CSV = "csv"


class Times(StrEnum):
    """How times are written in JSON and CSV."""

    NS = "ns"
    ISO = "iso"


MEDIA = {
    Format.JSON: "application/json",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.CSV: "text/csv",
}
_ALL = {"*/*": Format.JSON, "application/*": Format.JSON, "text/*": Format.CSV}
_TIME_COLUMNS = frozenset({"time", "start", "end"})


@dataclass(frozen=True)
class Head:
    """What is told of a table beside its columns."""

    schema: pa.Schema
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    damaged: dict[str, int] = field(default_factory=dict[str, int])
    """By PV the damaged blocks that lack; it may be filled until all pieces were given."""

    @property
    def footer(self) -> dict[bytes, bytes]:
        """What lacks, as metadata, where the schema does not say it already."""
        return {} if damage_of(self.schema) else footer_of(self.damaged)


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows; of one kind, which may differ from those of other pieces in JSON and CSV."""

    batch: pa.RecordBatch
    struct: bool = False
    """The value is the JSON text of a structure."""


def choose_format(asked: Format | None, accept: str | None) -> Format:
    """Return the format: as asked, else by the header Accept, else JSON."""
    if asked is not None or not accept:
        return asked or Format.JSON
    known = {media: one for one, media in MEDIA.items()} | _ALL
    ranked: list[tuple[float, str]] = []
    for part in accept.split(","):
        media, *rest = (text.strip().lower() for text in part.split(";"))
        quality = next((text[2:] for text in rest if text.startswith("q=")), "1")
        try:
            ranked.append((-float(quality), media))
        except ValueError:
            continue
    for negative, media in sorted(ranked, key=lambda one: one[0]):
        if negative < 0 and media in known:
            return known[media]
    raise UserError(f"cannot send {accept!r}: ask for {', '.join(MEDIA.values())}")


def encode(chosen: Format, head: Head, pieces: Iterable[Piece], times: Times) -> Iterator[bytes]:
    """Give a table in a format, piece by piece."""
    if chosen is Format.ARROW:
        return _arrow(head, pieces)
    if chosen is Format.PARQUET:
        return _parquet(head, pieces)
    if chosen is Format.JSON:
        return _json(head, pieces, times)
    return _csv(head, pieces, times)


class _Sink:
    """A file in memory from which what was written is taken away."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes | memoryview] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        written, self._written = self._written, []
        return b"".join(written)


class _ColumnSink(_Sink):
    """The same for whole columns, buffers that never change: they are copied once, by `take`."""

    def write(self, data: bytes | memoryview) -> int:
        self._written.append(data)
        return len(data)


def _arrow(head: Head, pieces: Iterable[Piece]) -> Iterator[bytes]:
    sink = _ColumnSink()
    with _ARROW.PythonFile(sink, mode="w") as file, _ARROW.ipc.new_stream(file, head.schema) as to:
        for piece in pieces:
            if piece.batch.num_rows:
                to.write_batch(piece.batch)
            if written := sink.take():
                yield written
        if footer := head.footer:
            to.write_batch(nothing(head.schema), custom_metadata=footer)
    yield sink.take()


def _parquet(head: Head, pieces: Iterable[Piece]) -> Iterator[bytes]:
    # It is slow to import, and most requests are for other formats.
    import pyarrow.parquet as pq

    sink = _Sink()
    dictionary = [name for name in head.schema.names if name == "pv"]
    options: Any = {"compression": "zstd", "compression_level": 1, "use_dictionary": dictionary}
    waiting: list[pa.RecordBatch] = []
    with (
        _ARROW.PythonFile(sink, mode="w") as file,
        pq.ParquetWriter(file, head.schema, **options) as to,
    ):
        for piece in pieces:
            waiting.append(piece.batch)
            rows = sum(one.num_rows for one in waiting)
            if rows >= _GROUP_ROWS or sum(one.nbytes for one in waiting) >= _GROUP_BYTES:
                to.write_table(pa.Table.from_batches(waiting))
                waiting = []
                yield sink.take()
        if any(one.num_rows for one in waiting):
            to.write_table(pa.Table.from_batches(waiting))
        if footer := head.footer:
            cast("Any", to).add_key_value_metadata(footer)
    yield sink.take()


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Give the rows a few at a time, so that their text does not fill the memory."""
    rows = max(1, batch.num_rows * _PIECE_BYTES // max(1, batch.nbytes))
    for begin in range(0, batch.num_rows, rows):
        yield batch.slice(begin, rows)


def _columns(batch: Any) -> Iterator[tuple[str, Any]]:
    return zip(batch.schema.names, batch.columns, strict=True)


def _is_time(name: str, times: Times) -> bool:
    return times is Times.ISO and name in _TIME_COLUMNS


def json_rows(batch: pa.RecordBatch, *, times: Times = Times.NS, struct: bool = False) -> str:
    """Return rows as JSON lists, parted by commas; without brackets around them all."""
    if not batch.num_rows:
        return ""
    columns: list[Any] = []
    for name, column in _columns(batch):
        texts = iso_texts(column) if _is_time(name, times) else column
        columns.append(json_texts(texts, struct=struct and name == "value"))
    rows = _COMPUTE.binary_join_element_wise(*columns, ",")
    return f"[{'],['.join(rows.to_pylist())}]"


def _json(head: Head, pieces: Iterable[Piece], times: Times) -> Iterator[bytes]:
    told: dict[str, Any] = {"fields": head.schema.names, "kinds": dict(head.kinds)}
    begin = f'{json.dumps(told, ensure_ascii=False)[:-1]}, "rows": ['
    for piece in pieces:
        for batch in _small(piece.batch):
            yield f"{begin}\n{json_rows(batch, times=times, struct=piece.struct)}".encode()
            begin = ","
    damaged = json.dumps(head.damaged, ensure_ascii=False)
    end = f'], "damaged": {damaged}}}\n'
    yield (end if begin == "," else begin + end).encode()


def _csv(head: Head, pieces: Iterable[Piece], times: Times) -> Iterator[bytes]:
    import pyarrow.csv

    options = pyarrow.csv.WriteOptions(include_header=False)
    yield (",".join(head.schema.names) + "\n").encode()
    for piece in pieces:
        for batch in _small(piece.batch):
            sink = _ARROW.BufferOutputStream()
            plain = pa.table(
                [_plain(name, column, times) for name, column in _columns(batch)],
                names=batch.schema.names,
            )
            pyarrow.csv.write_csv(plain, sink, options)
            yield sink.getvalue().to_pybytes()
    if head.damaged:
        by_pv = json.dumps(head.damaged, ensure_ascii=False)
        yield f"# damaged blocks left out, by PV: {by_pv}\n".encode()


def _plain(name: str, column: Any, times: Times) -> Any:
    """Return a column as CSV can hold it: arrays as JSON lists."""
    if _is_time(name, times):
        return iso_texts(column)
    types = _ARROW.types
    if types.is_list(column.type) or types.is_large_list(column.type):
        return json_texts(column)
    if types.is_large_binary(column.type) or types.is_binary(column.type):
        return json_texts(column)
    return column.cast(pa.string()) if types.is_dictionary(column.type) else column
