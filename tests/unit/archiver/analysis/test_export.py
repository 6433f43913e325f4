from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from client_fakes import FakeReader, samples_of

from linacre.archiver import Archive
from linacre.archiver.model import Kind, Metadata
from linacre.base.errors import LinacreError, UserError

T0 = 1_764_000_000_000_000_000
LAST = T0 + 1000


def the_reader() -> FakeReader:
    return FakeReader(
        {
            "QUAD:READI": samples_of(Kind.FLOAT64, [T0, T0 + 10, T0 + 20], [1.5, float("nan"), 2]),
            "QUAD:STATE": samples_of(Kind.ENUM, [T0 + 5], [1]),
            "COUNT": samples_of(Kind.INT64, [T0], [2**53 + 1]),
            "WAVE": samples_of(
                Kind.FLOAT64_ARRAY, [T0 + k for k in range(7)], [[k, 1.0] for k in range(7)]
            ),
            "RAGGED": samples_of(
                Kind.INT16_ARRAY, [T0 + k for k in range(9)], [[1, 2]] * 7 + [[3], []]
            ),
            "CHARS": samples_of(Kind.BYTES, [T0, T0 + 1], [b"ab", b"\x00"]),
            "NAME": samples_of(Kind.STRING, [T0], ["ü"]),
            "NAMES": samples_of(Kind.STRING_ARRAY, [T0], [["a", "b"]]),
            "TABLE/1": samples_of(Kind.STRUCT, [T0], ['{"x": 1}']),
            "EMPTY": samples_of(Kind.FLOAT64, [], []),
            "EMPTY:WAVE": samples_of(Kind.FLOAT64_ARRAY, [], []),
        },
        known={
            "QUAD:READI": Metadata(units="A", precision=3, display=(0.0, 10.0)),
            "QUAD:STATE": Metadata(labels=("Off", "On")),
        },
    )


def test_samples_as_hdf5(tmp_path: Path) -> None:
    shares: list[float] = []

    file = Archive(the_reader()).export("*", T0, LAST, tmp_path / "a.h5", progress=shares.append)

    with h5py.File(file) as root:
        quad = root["QUAD:READI"]
        assert quad["time"][:].tolist() == [T0, T0 + 10, T0 + 20]
        np.testing.assert_equal(quad["value"][:], [1.5, np.nan, 2.0])
        assert quad["severity"][:].tolist() == [0, 1, 2]
        assert quad.attrs["units"] == "A"
        assert quad.attrs["display"].tolist() == [0.0, 10.0]
        assert quad.attrs["kind"] == "float64"
        assert root["QUAD:STATE"].attrs["labels"].tolist() == ["Off", "On"]
        assert root["COUNT"]["value"][:].tolist() == [2**53 + 1]
        assert root["WAVE"]["value"].shape == (7, 2)
        assert root["WAVE"]["value"][3].tolist() == [3.0, 1.0]
        ragged = root["RAGGED"]["value"]
        assert [row.tolist() for row in ragged[:]] == [[1, 2]] * 7 + [[3], []]
        assert list(root["RAGGED"]) == ["severity", "status", "tag", "time", "value"]
        assert [bytes(row) for row in root["CHARS"]["value"][:]] == [b"ab", b"\x00"]
        assert root["NAME"]["value"].asstr()[:].tolist() == ["ü"]
        assert root["NAMES"]["value"].asstr()[:].tolist() == ['["a", "b"]']
        assert root["TABLE%2F1"].attrs["pv"] == "TABLE/1"
        assert root["EMPTY"]["value"].shape == (0,)
        assert len(root["EMPTY:WAVE"]["value"]) == 0
        assert root.attrs["start"] == T0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_samples_of_one_type_as_parquet(tmp_path: Path) -> None:
    file = Archive(the_reader()).export(["QUAD:READI", "EMPTY"], T0, LAST, tmp_path / "a.parquet")

    table = pq.read_table(file)

    assert table.column_names == ["pv", "time", "value", "severity", "status", "tag"]
    assert table["pv"].to_pylist() == ["QUAD:READI"] * 3
    assert str(table["value"].to_pylist()) == "[1.5, nan, 2.0]"


def test_samples_of_many_types_as_parquet(tmp_path: Path) -> None:
    reader = the_reader()
    file = Archive(reader).export("*", T0, LAST, tmp_path / "a.parquet")

    rows = pq.read_table(file).to_pylist()

    def of(pv: str) -> list[dict[str, Any]]:
        return [row for row in rows if row["pv"] == pv]

    assert len(rows) == sum(table.num_rows for table in reader.tables.values())
    assert of("QUAD:STATE")[0]["value"] == 1.0
    assert of("COUNT")[0]["value_int64"] == 2**53 + 1
    assert of("COUNT")[0]["value"] is None
    assert of("RAGGED")[8]["value_int16_array"] == []
    assert of("CHARS")[1]["value_bytes"] == b"\x00"
    assert of("TABLE/1")[0]["value_string"] == '{"x": 1}'


def test_tables_as_files(tmp_path: Path) -> None:
    archive = Archive(the_reader())
    pvs = ["QUAD:READI", "QUAD:STATE", "WAVE"]

    parquet = archive.export(pvs, T0, T0 + 20, tmp_path / "a.parquet", period="5ns")
    hdf5 = archive.export(pvs, T0, T0 + 20, tmp_path / "a.h5", period="5ns")

    table = archive.table(pvs, T0, T0 + 20, period="5ns")
    assert str(pq.read_table(parquet).to_pydict()) == str(table.to_pydict())
    with h5py.File(hdf5) as root:
        assert root["table/time"][:].tolist() == table["time"].to_pylist()
        np.testing.assert_equal(root["table/QUAD:STATE"][:], [np.nan, 1, 1, 1, 1])
        assert root["table/WAVE"][1].tolist() == [5.0, 1.0]
        assert root["table/QUAD:READI"].attrs["units"] == "A"


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    class Failing(FakeReader):
        def stream(self, pv: str, start_ns: int, end_ns: int) -> Any:
            yield next(iter(super().stream(pv, start_ns, end_ns)))
            raise LinacreError("the archiver left")

    old = tmp_path / "a.parquet"
    old.write_bytes(b"old")
    for name in ("a.parquet", "b.h5"):
        with pytest.raises(LinacreError, match="left"):
            Archive(Failing(the_reader().tables)).export("*", T0, LAST, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert old.read_bytes() == b"old"

    with pytest.raises(UserError, match=r"ends in \.parquet or \.h5"):
        Archive(the_reader()).export("*", T0, LAST, tmp_path / "a.xlsx")
    with pytest.raises(LinacreError, match="cannot be written: there is no folder"):
        Archive(the_reader()).export("*", T0, LAST, tmp_path / "no" / "a.h5")
    with pytest.raises(LinacreError, match="cannot be written: there is no folder"):
        Archive(the_reader()).export("*", T0, LAST, tmp_path / "no" / "a.parquet")
