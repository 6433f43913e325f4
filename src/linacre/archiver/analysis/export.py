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

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from linacre.archiver.analysis.hdf5_files import META, META_TYPES, samples_to_hdf5, table_to_hdf5
from linacre.archiver.reading.columns import Column, column_of
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
            samples_to_hdf5(reader, columns, pieces, (start_ns, end_ns), unfinished, damaged)
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
            table_to_hdf5(reader, spec, stream, batches, unfinished)
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
        *zip(META, META_TYPES, strict=True),
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
            arrays.extend(cast("Any", batch).select(list(META)).columns)
            writer.write_batch(_ARROW.RecordBatch.from_arrays(arrays, schema=schema))
        _tell_lacking(writer, damaged)


def _tell_lacking(writer: Any, damaged: Mapping[str, int]) -> None:
    if footer := footer_of(damaged):
        writer.add_key_value_metadata(footer)
