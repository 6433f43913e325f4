from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from client_fakes import FakeReader, expected, samples_of
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.archiver import Archive
from linacre.archiver.errors import UnknownPvError, WrongTimeError
from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Kind, Metadata
from linacre.base.errors import UserError

T0 = 1_764_000_000_000_000_000
US = 1000
"""Samples lie microseconds apart: the shortest window is one."""
NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan))
TIMES = st.lists(st.integers(0, 60), unique=True, max_size=12).map(sorted)


@st.composite
def archives(draw: Any) -> FakeReader:
    kinds = {"A": Kind.FLOAT64, "B": Kind.INT32, "C": Kind.STRING, "D": Kind.FLOAT64_ARRAY}
    tables: dict[str, pa.Table] = {}
    for pv, kind in kinds.items():
        times = draw(TIMES)
        one: Any = {
            Kind.FLOAT64: NUMBERS,
            Kind.INT32: st.integers(-5, 5),
            Kind.STRING: st.text(max_size=3),
            Kind.FLOAT64_ARRAY: st.lists(st.floats(-1, 1), max_size=3),
        }[kind]
        values = [draw(one) for _ in times]
        tables[pv] = samples_of(kind, [T0 + t * US for t in times], values)
    return FakeReader(tables, batch_rows=draw(st.integers(1, 5)))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-12, abs=1e-9)
    return a == b and type(a) is type(b)


def columns(reader: FakeReader, pv: str) -> tuple[list[int], list[Any]]:
    table = reader.tables[pv]
    return table.column("time").to_pylist(), table.column("value").to_pylist()


@settings(max_examples=80, deadline=None)
@given(
    reader=archives(),
    start=st.integers(0, 60),
    length=st.integers(0, 40),
    align=st.sampled_from(["previous", "nearest", "linear"]),
    rows=st.sampled_from(["all", "period", "on"]),
    period=st.integers(1, 17),
    tolerance=st.one_of(st.none(), st.integers(1, 20)),
    window_bytes=st.sampled_from([1, 200, 1 << 20]),
)
def test_each_row_has_what_the_definition_says(
    reader: FakeReader,
    start: int,
    length: int,
    align: Any,
    rows: str,
    period: int,
    tolerance: int | None,
    window_bytes: int,
) -> None:
    first, last = T0 + start * US, T0 + (start + length) * US
    options: dict[str, Any] = {"align": align}
    if tolerance is not None:
        options["tolerance"] = f"{tolerance}us"
    if rows == "period":
        options["period"] = f"{period * 300}ns"
        times = list(range(first, last + 1, period * 300))
    elif rows == "on":
        options["on"] = "B"
        times = [t for t in columns(reader, "B")[0] if first <= t <= last]
    else:
        times = sorted({t for pv in "ABCD" for t in columns(reader, pv)[0] if first <= t <= last})

    batches = list(
        Archive(reader).stream_table(
            list("ABCD"), first, last, window_bytes=window_bytes, **options
        )
    )

    found = [row for batch in batches for row in batch.to_pylist()]
    assert [row["time"] for row in found] == times
    for row in found:
        for pv in "ABCD":
            stamps, values = columns(reader, pv)
            right = expected(
                stamps,
                values,
                row["time"],
                align=align,
                tolerance=None if tolerance is None else tolerance * US,
                linear=pv in "AB",
            )
            assert same(row[pv], right), (pv, row, right)


@settings(max_examples=80, deadline=None)
@given(
    series=st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), unique_by=lambda s: s[0]),
        min_size=1,
        max_size=3,
    ),
    start=st.integers(0, 30),
    length=st.integers(0, 20),
    tolerance=st.integers(1, 8),
    window_bytes=st.sampled_from([1, 200, 1 << 20]),
)
def test_pulses_are_joined_by_their_tags(
    series: list[list[tuple[int, int]]],
    start: int,
    length: int,
    tolerance: int,
    window_bytes: int,
) -> None:
    series = [sorted(one) for one in series]
    tables = {
        f"P{k}": samples_of(
            Kind.INT32,
            [T0 + t * US for t, _ in one],
            [100 * k + t for t, _ in one],
            [g for _, g in one],
        )
        for k, one in enumerate(series)
    }
    every = sorted((t, tag) for one in series for t, tag in one if tag)
    begun = sorted(
        {
            (t, tag)
            for t, tag in every
            if start <= t <= start + length
            and not any(tag == g and t - tolerance <= other < t for other, g in every)
        }
    )
    right = []
    for t, tag in begun:
        row: dict[str, Any] = {"time": T0 + t * US, "pulse": tag}
        for k, one in enumerate(series):
            mine = [at for at, g in one if g == tag and t <= at <= t + tolerance]
            row[f"P{k}"] = 100 * k + mine[0] if mine else None
        right.append(row)

    batches = Archive(FakeReader(tables)).stream_table(
        list(tables),
        T0 + start * US,
        T0 + (start + length) * US,
        pulse="tag",
        tolerance=f"{tolerance}us",
        window_bytes=window_bytes,
    )

    assert [row for batch in batches for row in batch.to_pylist()] == right


def test_a_pulse_pv_makes_a_row_of_each_pulse() -> None:
    reader = FakeReader(
        {
            "EVENT:ID": samples_of(
                Kind.INT64, [T0, T0 + 10, T0 + 20, T0 + 30], [2**62 + 1, 2**62 + 1, 2**62 + 2, 7]
            ),
            "BPM:X": samples_of(Kind.FLOAT64, [T0 + 1, T0 + 21], [0.5, 0.75]),
        }
    )

    table = Archive(reader).table("BPM:X", T0, T0 + 100, pulse="EVENT:ID", align="nearest")

    assert table.to_pydict() == {
        "time": [T0, T0 + 20, T0 + 30],
        "pulse": [2**62 + 1, 2**62 + 2, 7],
        "BPM:X": [0.5, 0.75, 0.75],
    }


def test_a_pulse_that_was_there_before_the_start_is_no_new_row() -> None:
    reader = FakeReader({"ID": samples_of(Kind.INT32, [T0, T0 + 10, T0 + 20], [5, 5, 6])})

    table = Archive(reader).table("ID", T0 + 5, T0 + 100, pulse="ID")

    assert table.column("pulse").to_pylist() == [6]


def test_enums_are_numbers_or_labels() -> None:
    reader = FakeReader(
        {"S": samples_of(Kind.ENUM, [T0, T0 + 1, T0 + 2], [0, 1, 9])},
        known={"S": Metadata(labels=("Off", "On"))},
    )
    archive = Archive(reader)

    assert archive.table("S", T0, T0 + 2, align="linear")["S"].to_pylist() == [0, 1, 9]
    assert archive.table("S", T0, T0 + 2, labels=True)["S"].to_pylist() == ["Off", "On", "9"]


def test_each_row_has_the_label_that_held_at_its_sample(tmp_path: Path) -> None:
    times = [T0, T0 + 10, T0 + 20, T0 + 30]
    reader = FakeReader(
        {"S": samples_of(Kind.ENUM, times, [1, 1, 33, 1])},
        changed={
            "S": MetadataHistory(
                (T0 - 50, T0 + 10, T0 + 20, T0 + 25),
                tuple(
                    Metadata(labels=labels)
                    for labels in (
                        ("MANUAL", "AUTO"),
                        ("OPEN", "CLOSED", "FAULT"),
                        tuple(f"n{k}" for k in range(40)),
                        ("zero", "one"),
                    )
                ),
            )
        },
    )
    archive = Archive(reader)

    table = archive.table("S", T0 + 5, T0 + 29, period="4ns", labels=True)

    assert table["S"].to_pylist() == [*["AUTO"] * 2, *["CLOSED"] * 2, *["n33"] * 3]
    nearest = archive.table("S", T0 + 5, T0 + 29, on="S", align="nearest", labels=True)
    assert nearest["S"].to_pylist() == ["CLOSED", "n33"]
    last = archive.table("S", T0 + 5, T0 + 29, period="24ns", align="nearest", labels=True)
    assert last["S"].to_pylist() == ["AUTO", "one"]
    with h5py.File(archive.export("S", T0, T0 + 21, tmp_path / "a.h5")) as root:
        assert root["S"].attrs["labels"].tolist()[1] == "n1"
        history = json.loads(root["S"].attrs["history"])
        assert [one["labels"][1] for one in history] == ["AUTO", "CLOSED", "n1"]
        assert [one["from"] for one in history] == [T0, T0 + 10, T0 + 20]
    frame = archive.samples("S", T0, T0 + 30).to_pandas(
        labels=archive.metadata_history("S", T0, T0 + 30)
    )
    assert frame["value"].tolist() == ["AUTO", "CLOSED", "n33", "one"]


def test_units_that_changed_are_told_in_xarray() -> None:
    reader = FakeReader(
        {"X": samples_of(Kind.FLOAT64, [T0, T0 + 10], [1.5, 2.5])},
        changed={
            "X": MetadataHistory((T0, T0 + 10), (Metadata(units="kV²"), Metadata(units="µA/°C")))
        },
    )

    made = Archive(reader).table("X", T0, T0 + 20, as_="xarray")

    assert made["X"].attrs["units"] == "µA/°C"
    assert made["X"].attrs["units_from"] == [f"{T0}: kV²", f"{T0 + 10}: µA/°C"]


def test_a_type_that_changed_has_one_type_in_the_table_whatever_the_windows() -> None:
    class Changed(FakeReader):
        def stream(self, pv: str, start_ns: int, end_ns: int) -> Any:
            for batch in super().stream(pv, start_ns, end_ns):
                of = pa.string() if end_ns >= T0 + 50 else pa.int32()
                schema = batch.schema.set(1, batch.schema.field(1).with_type(of))
                value = batch.column("value").cast(of)
                columns = [batch.column(0), value, *batch.columns[2:]]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    reader = Changed({"X": samples_of(Kind.INT32, range(T0, T0 + 60), range(60))})

    batches = list(Archive(reader).stream_table("X", T0, T0 + 59, window_bytes=500))

    values = [value for batch in batches for value in batch.column("X").to_pylist()]
    assert values == [str(k) for k in range(60)]


def test_the_present_is_one_row() -> None:
    reader = FakeReader({"X": samples_of(Kind.FLOAT64, [T0], [1.5])})

    table = Archive(reader).table("X", T0 + 9, T0 + 9, period="1s")

    assert table.to_pydict() == {"time": [T0 + 9], "X": [1.5]}


def test_patterns_stand_for_names() -> None:
    one = samples_of(Kind.FLOAT64, [T0], [1.0])
    archive = Archive(FakeReader({"A:X": one, "B:X": one, "B:Y": one}))

    assert archive.table(["B:Y", "*:X"], T0, T0).column_names == ["time", "B:Y", "A:X", "B:X"]
    with pytest.raises(UnknownPvError, match=r"no PV that matches C\*"):
        archive.table("C*", T0, T0)


def test_a_long_time_is_read_in_windows_that_fit() -> None:
    class Endless(FakeReader):
        """Two million samples, made as they are asked for: one each 100 us, with a burst."""

        n = 2_000_000
        largest = 0
        reading = 0

        def stream(self, pv: str, start_ns: int, end_ns: int) -> Any:
            first = max((start_ns - T0) // 100_000, 0)
            last = min((end_ns - T0) // 100_000 + 1, self.n)
            self.reading = 0
            for k in range(first, max(last, first + 1), 8_192):
                index = np.arange(k, min(k + 8_192, last))
                batch = samples_of(Kind.FLOAT64, T0 + index * 100_000, index * 0.5)
                self.reading += batch.nbytes
                self.largest = max(self.largest, self.reading)
                yield (
                    batch.to_batches()[0]
                    if batch.num_rows
                    else next(FakeReader({pv: batch}).stream(pv, 0, 0))
                )

    reader = Endless({"X": samples_of(Kind.FLOAT64, [], [])})
    limit = 2 << 20
    rows = largest = 0
    last = -1.0

    for batch in Archive(reader).stream_table("X", T0, T0 + reader.n * 100_000, window_bytes=limit):
        rows += batch.num_rows
        largest = max(largest, batch.nbytes)
        values = batch.column("X")
        assert values[0].as_py() == last + 0.5 or last < 0
        last = values[-1].as_py()

    assert rows == reader.n
    assert reader.largest <= limit + 8_192 * 32
    assert largest <= limit


def test_what_cannot_be_asked_is_told() -> None:
    archive = Archive(
        FakeReader(
            {
                "QUAD-01:READI": samples_of(Kind.FLOAT64, [T0], [1.0]),
                "S": samples_of(Kind.STRING, [T0], ["a"]),
            }
        )
    )
    with pytest.raises(UnknownPvError, match="no PV QUAD-01:READL; did you mean QUAD-01:READI"):
        archive.table("QUAD-01:READL", T0, T0)
    with pytest.raises(UserError, match="one of period, on and pulse"):
        archive.table("S", T0, T0, period=1, on="S")
    with pytest.raises(UserError, match="S is no number"):
        archive.table("S", T0, T0, pulse="S")
    with pytest.raises(UserError, match="previous, nearest, linear"):
        archive.table("S", T0, T0, align="next")  # type: ignore[arg-type]
    with pytest.raises(WrongTimeError, match="later than the end"):
        archive.table("S", T0, T0 - 1)
    with pytest.raises(UserError, match="no PV is named"):
        archive.table([], T0, T0)
