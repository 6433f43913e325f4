"""Segments are read without Linacre."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from segment_samples import START, Samples, write

from linacre.archiver.model import Kind
from linacre.archiver.store.part import arrow_type

SAMPLES: Samples = {
    **{
        (pv, Kind.FLOAT64): [(START + k, f + k % w, k % 3, 5, -k) for k in range(1, 41)]
        for pv, f, w in (("A:x", 0.5, 3), ("B:y", 0.25, 1000), ("C:z", 0.0, 7))
    },
    **{
        (f"only:{kind}", kind): [(START + 1, value, 0, 0, 0), (START + 2, value, 3, 4, 5)]
        for kind, value in (
            *((Kind.INT32, -5), (Kind.INT64, -(2**60)), (Kind.FLOAT32, 0.5), (Kind.ENUM, 2)),
            *((Kind.UINT64, 2**64 - 1), (Kind.UINT64_ARRAY, [2**63, 0])),
            *((Kind.STRING, "é"), (Kind.STRUCT, '{"a":1}'), (Kind.BYTES, b"\x00\xff")),
            *((Kind.FLOAT64_ARRAY, [1.5, 2.5]), (Kind.FLOAT32_ARRAY, [0.5])),
            *((Kind.INT64_ARRAY, [1, -1]), (Kind.INT32_ARRAY, []), (Kind.INT16_ARRAY, [-3])),
            (Kind.STRING_ARRAY, ["a", "", "é"]),
        )
    },
}
WANT = [(s[0], s[1], s[2], s[3], s[4]) for s in SAMPLES["B:y", Kind.FLOAT64] if s[0] > START + 30]
COLUMNS = ("time", "value", "severity", "status", "tag")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("archive"), SAMPLES).path


def _rows(table: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in COLUMNS) for row in table]


def test_pyarrow(folder: Path) -> None:
    files = sorted(str(path) for path in folder.glob("float64-*.parquet"))
    found = dataset.dataset(files).to_table(
        filter=(dataset.field("pv") == "B:y") & (dataset.field("time") > START + 30)
    )
    assert _rows(found.to_pylist()) == WANT


def test_duckdb(folder: Path) -> None:
    import duckdb

    found = duckdb.sql(
        f"select {', '.join(COLUMNS)} from read_parquet('{folder}/float64-*.parquet') "
        f"where pv = 'B:y' and time > {START + 30} order by time"
    ).fetchall()
    assert found == WANT
    kinds = duckdb.sql(
        f"select count(*), sum(count) from read_parquet('{folder}/rollup-*.parquet') "
        "where pv = 'B:y' and step = 1"
    ).fetchall()
    assert kinds == [(1, 40)]


def test_pandas(folder: Path) -> None:
    import pandas

    files = sorted(folder.glob("float64-*.parquet"))
    table = pandas.concat(pandas.read_parquet(file) for file in files)
    table = table[(table.pv == "B:y") & (table.time > START + 30)]
    assert _rows(table.to_dict("records")) == WANT


def test_polars(folder: Path) -> None:
    import polars

    found = (
        polars.scan_parquet(f"{folder}/float64-*.parquet")
        .filter((polars.col("pv") == "B:y") & (polars.col("time") > START + 30))
        .sort("time")
        .collect()
    )
    assert _rows(found.to_dicts()) == WANT


def test_every_kind_has_plain_types_and_no_nulls(folder: Path) -> None:
    import duckdb
    import polars

    for kind in Kind:
        if kind is Kind.FLOAT64:
            continue
        (file,) = (
            path
            for path in folder.glob("*.parquet")
            if parquet.ParquetFile(path).read(["pv"])["pv"][0].as_py() == f"only:{kind}"
        )
        want = [s[1] for s in SAMPLES[f"only:{kind}", kind]]
        table = parquet.read_table(file)
        assert table["value"].to_pylist() == want
        assert table.schema.field("value").type.to_pandas_dtype() is not None
        assert pa.types.is_nested(table["value"].type) == pa.types.is_nested(arrow_type(kind))
        assert not any(table.schema.field(name).nullable for name in table.schema.names)
        assert polars.read_parquet(file)["value"].to_list() == want
        assert [row[0] for row in duckdb.sql(f"select value from '{file}'").fetchall()] == want


def test_statistics_lead_a_reader_to_its_rows(folder: Path) -> None:
    file = parquet.ParquetFile(folder / "float64-s-000.parquet")
    group = file.metadata.row_group(0)
    pv, time = group.column(0).statistics, group.column(1).statistics
    assert pv.min == pv.max == "B:y"
    assert START < time.min < time.max
    assert not any("uint" in str(field.type) for field in file.schema_arrow)
