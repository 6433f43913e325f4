"""Samples and tables as files of HDF5; what is in them is told in `analysis.export`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from linacre.archiver.analysis.hdf5 import Growing
from linacre.archiver.history import MetadataHistory
from linacre.archiver.reading.columns import Column
from linacre.archiver.reading.convert import library
from linacre.archiver.reading.table import TableSpec, TableStream
from linacre.archiver.service import Reader

META = ("severity", "status", "tag")
META_TYPES = (pa.int8(), pa.int16(), pa.int32())


def samples_to_hdf5(
    reader: Reader,
    columns: Sequence[Column],
    pieces: Iterator[tuple[int, pa.RecordBatch]],
    span_ns: tuple[int, int],
    file: Path,
    damaged: Mapping[str, int],
) -> None:
    """Write samples, of which each piece has its column's place; `damaged` grows meanwhile."""
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
                types |= dict(zip(META, META_TYPES, strict=True))
                growing = {name: Growing(group, name, of) for name, of in types.items()}
            for name, dataset in growing.items():
                dataset.append(cast("Any", batch.column(name)))
            if column.pv in damaged:
                root[_group_of(column.pv)].attrs["damaged"] = damaged[column.pv]
        _end(growing)


def _group_of(pv: str) -> str:
    return pv.replace("/", "%2F")


def table_to_hdf5(
    reader: Reader,
    spec: TableSpec,
    stream: TableStream,
    batches: Iterator[pa.RecordBatch],
    file: Path,
) -> None:
    """Write a table's batches."""
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
