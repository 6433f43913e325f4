"""The examples of the layout's documentation: what stands there reads an archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linacre.archiver.model import NANOSECONDS, Kind, Metadata, ScalarBatch, Series
from linacre.archiver.registry.registry import Registry
from linacre.archiver.settings import Settings
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.segments import Limits
from linacre.archiver.store.shelf import Keeping, tiers_of
from linacre.archiver.store.store import Store

DOC = Path(__file__).parents[4] / "docs/reference/archive-layout.md"
PV = "CLA-S01-MAG-QUAD-01:READI"
START, END = 1795600800000000000, 1795604400000000000
SERIES = [
    Series(number, pv, Kind.FLOAT64, "DBR_DOUBLE")
    for number, pv in enumerate(("CLA-S01-MAG-QUAD-00:READI", PV, "CLA-S01-MAG-QUAD-02:READI"), 1)
]
TIME = np.arange(START - 10 * 60 * NANOSECONDS, END + 10 * 60 * NANOSECONDS, NANOSECONDS // 2) + 9
VALUE = np.round(np.random.default_rng(3).normal(40, 0.2, len(TIME)), 3)
INSIDE = (TIME > START) & (TIME <= END)


def examples() -> dict[str, str]:
    """Return the examples by the first word of the line before each."""
    found = re.findall(r"^(\w[^\n]*)\n\n```python\n(.*?)```", DOC.read_text(), re.M | re.S)
    return {title.split()[0].strip(":,").lower(): code for title, code in found}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive that has had a day's end: two hours of samples of three PVs."""
    folder = tmp_path_factory.mktemp("archive")
    clock = int(TIME[-1])
    store = Store(
        folder / "short" / "journal",
        tiers_of(Settings(data=folder)),
        files=OsFiles(),
        clock=lambda: clock,
        keeping=Keeping(),
        limits=Limits(rollup_rows=100, own_rows=1000, group_rows=4000),
    )
    for one in SERIES:
        store.declare(one)
    for begin in range(0, len(TIME), 2000):
        rows = slice(begin, begin + 2000)
        store.append([batch(one, rows) for one in SERIES], [])
    store.rotate()
    clock += 2 * 86400 * NANOSECONDS
    store.maintain()
    store.close()
    registry = Registry.open(folder, now_ns=lambda: clock)
    registry.note_metadata(PV, START, Metadata(units="A", precision=3))
    registry.note_metadata(PV, END, Metadata(units="mA", precision=3))
    registry.flush()
    registry.close()
    return folder


def batch(series: Series, rows: slice) -> ScalarBatch:
    """Return samples of a series; those of other PVs have other values."""
    value = VALUE[rows] + (0 if series.pv == PV else 100)
    n = len(value)
    return ScalarBatch(
        series=np.full(n, series.id, np.int32),
        time=TIME[rows],
        value=value.view(np.int64),
        severity=np.zeros(n, np.int8),
        status=np.zeros(n, np.int16),
        tag=np.zeros(n, np.int32),
    )


@pytest.fixture
def run(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs an example in the archive's folder, and returns its table."""
    monkeypatch.chdir(archive)

    def run(example: str) -> Any:
        names: dict[str, Any] = {"pv": PV, "start": START, "end": END}
        exec(compile(examples()[example], f"{DOC.name}: {example}", "exec"), names)
        return names["table"]

    return run


def test_all_examples_are_known() -> None:
    assert f'pv, start, end = "{PV}", {START}, {END}' in DOC.read_text()
    assert set(examples()) == {"pyarrow", "duckdb", "pandas", "polars", "spark", "mean", "units"}


def test_the_layout_is_the_one_described(archive: Path) -> None:
    (segment,) = archive.glob("*/segments/*/*/[0-9]*")
    assert segment.relative_to(archive).as_posix() == (
        "medium/segments/2026/11/2026-11-25-day-00000001"
    )
    names = {path.name for path in segment.iterdir()}
    assert names == {"float64-d-000.parquet", "rollup-000.parquet", "index.bin", "segment.json"}


def test_pyarrow(run: Any) -> None:
    table = run("pyarrow")
    np.testing.assert_array_equal(table["time"].to_numpy(), TIME[INSIDE])
    np.testing.assert_array_equal(table["value"].to_numpy(), VALUE[INSIDE])


def test_duckdb(run: Any) -> None:
    table = run("duckdb")
    np.testing.assert_array_equal(table["at"].to_numpy().astype(np.int64), TIME[INSIDE])
    np.testing.assert_array_equal(table["value"].to_numpy(), VALUE[INSIDE])


def test_pandas(run: Any) -> None:
    table = run("pandas")
    np.testing.assert_array_equal(table.index.as_unit("ns").asi8, TIME[INSIDE])
    np.testing.assert_array_equal(table["value"], VALUE[INSIDE])


def test_polars(run: Any) -> None:
    table = run("polars")
    np.testing.assert_array_equal(table["at"].to_numpy().astype(np.int64), TIME[INSIDE])
    np.testing.assert_array_equal(table["value"].to_numpy(), VALUE[INSIDE])


def test_rollups(run: Any) -> None:
    table = run("mean").to_pydict()
    assert table["start"] == list(range(START, END, 60 * NANOSECONDS))
    first = (TIME >= START) & (TIME < START + 60 * NANOSECONDS)
    assert table["mean"][0] == pytest.approx(VALUE[first].mean(), rel=1e-12)
    assert (table["least"][0], table["most"][0]) == (VALUE[first].min(), VALUE[first].max())


def test_metadata(run: Any) -> None:
    (newest, detail), (oldest, _) = run("units")
    assert (newest, detail["units"], oldest) == (END, "mA", START)


def test_columns_are_of_the_types_described(archive: Path) -> None:
    import pyarrow.parquet as pq

    text = DOC.read_text()
    for name in ("float64-d", "rollup"):
        (file,) = archive.rglob(f"{name}-000.parquet")
        for field in pq.read_schema(file):
            row = rf"^\| [^|]*`{field.name}`[^|]*\| ([^|]*?) \|"
            told = list(re.findall(row, text, re.M))
            kind = {"dictionary": "string"}.get(str(field.type).split("<")[0], str(field.type))
            assert any(kind in one or "by the kind" in one for one in told), (field, told)
