"""Samples and tables as files of Parquet and HDF5, written in pieces and whole or not at all.

**Parquet, samples** (no alignment asked): rows of all PVs one after the other, each in the order
of time. Columns `pv` (text), `time` (int64 ns since 1970, UTC), `value`, `severity` (int8),
`status` (int16), `tag` (int32). Where the PVs are of several types, numbers are float64 in
`value`, and each other type has a column of its own, null in the rows of others: `value_int64`,
`value_string`, `value_double_array`, ...

**Parquet, a table**: as `Archive.table` gives it.

**HDF5, samples**: a group for each PV (`/` in a name is written `%2F`) with datasets `time`,
`value`, `severity`, `status` and `tag`, and attributes `pv`, `kind`, `units`, `precision`,
`description`, `labels`, and pairs of limits `display`, `control`, `warning`, `alarm`, as far as
they are known at the end; where they changed in between, `history` is JSON: a list of objects with
the same and `from` (ns): since when they held. **A table**: one group `table` with a dataset for
`time`, `pulse` and each PV; its dataset has the PV's attributes. The root has `start` and `end`
(ns) and `made_by`.

**What lacks**, since blocks of the archive's files are damaged: HDF5 has an attribute `damaged` of
a PV, Parquet the metadata `linacre.damaged` (the sum) and `linacre.damaged.by_pv` (JSON).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from linacre.archiver.analysis.hdf5 import Growing
from linacre.archiver.history import MetadataHistory
from linacre.archiver.reading.columns import Column, column_of
from linacre.archiver.reading.convert import library
from linacre.archiver.reading.damage import damage_of, footer_of
from linacre.archiver.reading.mixing import as_type
from linacre.archiver.reading.table import TableSpec, TableStream
from linacre.archiver.service import Reader
from linacre.base.errors import LinacreError, UserError

Progress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""

OnDamage = Callable[[Mapping[str, int]], None]
"""Called with the damaged blocks that lack, by PV, before the file has its name; it may raise."""


def _nobody(told: object) -> None:
    """Take what nobody wants to know."""


_PARQUET = (".parquet", ".pq")
_HDF5 = (".h5", ".hdf5")
_META = ("severity", "status", "tag")
_META_TYPES = (pa.int8(), pa.int16(), pa.int32())
# The stubs are stricter than what they describe.
_ARROW: Any = pa
_PARQUET_FILES: Any = pq


def export_samples(
    reader: Reader,
    pvs: Sequence[str],
    start_ns: int,
    end_ns: int,
    file: Path,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage = _nobody,
) -> Path:
    """Write the samples of some PVs by the boundary rule; see the module for what is written."""
    columns = [column_of(reader, pv, start_ns, end_ns) for pv in pvs]
    damaged: dict[str, int] = {}
    pieces = _samples(reader, columns, start_ns, end_ns, progress or _nobody, damaged)
    with _whole(file) as unfinished:
        if _suffix(file) in _PARQUET:
            _samples_to_parquet(columns, pieces, unfinished, damaged)
        else:
            _samples_to_hdf5(reader, columns, pieces, (start_ns, end_ns), unfinished, damaged)
        on_damage(damaged)
    return file


def export_table(
    reader: Reader,
    spec: TableSpec,
    file: Path,
    *,
    progress: Progress | None = None,
    on_damage: OnDamage = _nobody,
) -> Path:
    """Write a table; see the module for what is written."""
    stream = TableStream(reader, spec)
    batches = _told(stream, spec, progress or _nobody)
    with _whole(file) as unfinished:
        if _suffix(file) in _PARQUET:
            with pq.ParquetWriter(unfinished, stream.schema, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)
                _tell_lacking(writer, stream.damaged)
        else:
            _table_to_hdf5(reader, spec, stream, batches, unfinished)
        on_damage(stream.damaged)
    return file


@contextmanager
def _whole(file: Path) -> Generator[Path]:
    """Give a name to write under; it becomes the file's when all is written and on the disk."""
    if _suffix(file) not in (*_PARQUET, *_HDF5):
        raise UserError(f"{file}: write a name that ends in .parquet or .h5")
    if not file.parent.is_dir():
        raise UserError(f"{file} cannot be written: there is no folder {file.parent}")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(file)
    except OSError as error:
        raise LinacreError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _suffix(file: Path) -> str:
    return file.suffix.lower()


def _samples(
    reader: Reader,
    columns: Sequence[Column],
    start_ns: int,
    end_ns: int,
    progress: Progress,
    damaged: dict[str, int],
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Give the samples of the columns one after the other, with the column's place.

    `damaged` takes how many damaged blocks lack, by PV.
    """
    length = max(end_ns - start_ns, 1)
    for k, column in enumerate(columns):
        for batch in reader.stream(column.pv, start_ns, end_ns):
            if lacking := damage_of(batch.schema):
                damaged[column.pv] = max(lacking, damaged.get(column.pv, 0))
            yield k, batch
            if batch.num_rows:
                last = cast("Any", batch.column("time"))[-1].as_py()
                progress((k + min(1.0, max(0.0, (last - start_ns) / length))) / len(columns))
        progress((k + 1) / len(columns))


def _told(stream: TableStream, spec: TableSpec, progress: Progress) -> Iterator[pa.RecordBatch]:
    length = max(spec.end_ns - spec.start_ns, 1)
    for batch in stream:
        yield batch
        if batch.num_rows:
            last = cast("Any", batch.column("time"))[-1].as_py()
            progress(min(1.0, max(0.0, (last - spec.start_ns) / length)))
    progress(1.0)


def _value_columns(columns: Sequence[Column]) -> Mapping[str, pa.DataType]:
    """Return the columns of values: one where all have one type."""
    types = list(dict.fromkeys(column.type for column in columns))
    if len(types) == 1:
        return {"value": types[0]}
    found: dict[str, pa.DataType] = {}
    for of in types:
        found[_value_column(of, mixed=True)] = pa.float64() if _is_plain_number(of) else of
    return found


def _value_column(of: pa.DataType, *, mixed: bool) -> str:
    if not mixed or _is_plain_number(of):
        return "value"
    if pt.is_large_list(of) or pt.is_list(of):
        return f"value_{cast('Any', of).value_type}_array"
    return f"value_{'bytes' if pt.is_large_binary(of) else of}"


def _is_plain_number(of: pa.DataType) -> bool:
    """Whether each such number is a float64 too."""
    return pt.is_floating(of) or (pt.is_integer(of) and not pt.is_int64(of))


def _samples_to_parquet(
    columns: Sequence[Column],
    pieces: Iterator[tuple[int, pa.RecordBatch]],
    file: Path,
    damaged: Mapping[str, int],
) -> None:
    values = _value_columns(columns)
    fields: list[Any] = [
        ("pv", pa.string()),
        ("time", pa.int64()),
        *values.items(),
        *zip(_META, _META_TYPES, strict=True),
    ]
    schema: pa.Schema = _ARROW.schema(fields)
    writing = _PARQUET_FILES.ParquetWriter(file, schema, compression="zstd", use_dictionary=["pv"])
    with writing as writer:
        for k, batch in pieces:
            column, rows = columns[k], batch.num_rows
            if not rows:
                continue
            here = _value_column(column.type, mixed=len(values) > 1 or "value" not in values)
            arrays: list[Any] = [_ARROW.repeat(column.pv, rows), batch.column("time")]
            for name, of in values.items():
                arrays.append(
                    as_type(cast("Any", batch.column("value")), of)
                    if name == here
                    else _ARROW.nulls(rows, of)
                )
            arrays.extend(cast("Any", batch).select(list(_META)).columns)
            writer.write_batch(_ARROW.RecordBatch.from_arrays(arrays, schema=schema))
        _tell_lacking(writer, damaged)


def _tell_lacking(writer: Any, damaged: Mapping[str, int]) -> None:
    if footer := footer_of(damaged):
        writer.add_key_value_metadata(footer)


def _samples_to_hdf5(
    reader: Reader,
    columns: Sequence[Column],
    pieces: Iterator[tuple[int, pa.RecordBatch]],
    span_ns: tuple[int, int],
    file: Path,
    damaged: Mapping[str, int],
) -> None:
    with library("h5py").File(file, "w") as root:
        _sign(root, span_ns)
        growing: dict[str, Growing] = {}
        present = -1
        for k, batch in pieces:
            column = columns[k]
            if k != present:
                _end(growing)
                present = k
                group = root.create_group(_group_of(column.pv))
                _describe(group, column, reader.metadata_history(column.pv, *span_ns))
                types = {"time": pa.int64(), "value": column.type}
                types |= dict(zip(_META, _META_TYPES, strict=True))
                growing = {name: Growing(group, name, of) for name, of in types.items()}
            for name, dataset in growing.items():
                dataset.append(cast("Any", batch.column(name)))
            if column.pv in damaged:
                root[_group_of(column.pv)].attrs["damaged"] = damaged[column.pv]
        _end(growing)


def _group_of(pv: str) -> str:
    return pv.replace("/", "%2F")


def _table_to_hdf5(
    reader: Reader,
    spec: TableSpec,
    stream: TableStream,
    batches: Iterator[pa.RecordBatch],
    file: Path,
) -> None:
    schema = stream.schema
    with library("h5py").File(file, "w") as root:
        _sign(root, (spec.start_ns, spec.end_ns))
        group = root.create_group("table")
        growing = {
            name: Growing(
                group,
                _group_of(name),
                cast("Any", schema).field(name).type,
                nullable=name in spec.pvs,
            )
            for name in schema.names
        }
        for batch in batches:
            for name, dataset in growing.items():
                dataset.append(cast("Any", batch.column(name)))
        _end(growing)
        for column in stream.columns:
            dataset = growing[column.pv].dataset
            history = reader.metadata_history(column.pv, spec.start_ns, spec.end_ns)
            _describe(dataset, column, history)
            if column.pv in stream.damaged:
                dataset.attrs["damaged"] = stream.damaged[column.pv]


def _end(growing: Mapping[str, Growing]) -> None:
    for dataset in growing.values():
        dataset.close()


def _sign(root: Any, span_ns: tuple[int, int]) -> None:
    root.attrs["made_by"] = "linacre"
    root.attrs["start"], root.attrs["end"] = span_ns
    root.attrs["time_units"] = "nanoseconds since 1970-01-01T00:00:00Z"


def _describe(where: Any, column: Column, history: MetadataHistory) -> None:
    metadata = history.said[-1]
    known: dict[str, Any] = {
        "pv": column.pv,
        "kind": column.kind,
        "units": metadata.units,
        "precision": metadata.precision,
        "description": metadata.description,
        "labels": list(metadata.labels) or None,
        "display": metadata.display,
        "control": metadata.control,
        "warning": metadata.warning,
        "alarm": metadata.alarm,
    }
    if len(history.said) > 1:
        rows = zip(history.from_ns, history.said, strict=True)
        known["history"] = json.dumps([{"from": at, **asdict(said)} for at, said in rows])
    for name, value in known.items():
        if value is not None and value != "":
            where.attrs[name] = value
