from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from client_fakes import FakeReader, samples_of

from linacre.archiver import Archive
from linacre.archiver.errors import UnknownPvError, WrongTimeError
from linacre.archiver.model import Kind, Metadata
from linacre.archiver.times import length_ns, time_ns
from linacre.base.errors import UserError

T0 = 1_764_000_000_000_000_000
NOW = T0 + 3_600_000_000_000


def the_archive() -> Archive:
    reader = FakeReader(
        {
            "QUAD:READI": samples_of(Kind.FLOAT64, [T0, T0 + 10], [1.5, 2.5]),
            "QUAD:STATE": samples_of(Kind.ENUM, [T0 + 5], [1]),
            "SCOPE:WAVE": samples_of(Kind.FLOAT64_ARRAY, [T0, T0 + 10], [[1.0, 2.0], [3.0, 4.0]]),
            "SCOPE:NAME": samples_of(Kind.STRING, [T0], ["a"]),
        },
        known={
            "QUAD:READI": Metadata(units="A", description="Current"),
            "QUAD:STATE": Metadata(labels=("Off", "On")),
        },
    )
    return Archive(reader, clock=lambda: NOW)


@pytest.mark.parametrize(
    ("when", "right"),
    [
        ("now", NOW),
        ("-1h", NOW - 3_600_000_000_000),
        ("now-1.5s", NOW - 1_500_000_000),
        ("+2 min", NOW + 120_000_000_000),
        (timedelta(days=-1), NOW - 86_400_000_000_000),
        ("2025-11-24", 1_763_942_400_000_000_000),
        ("2025-11-24T16:00", T0),
        ("2025-11-24 16:00:00.123456789", T0 + 123_456_789),
        ("2025-11-24T17:00:00.5+01:00", T0 + 500_000_000),
        ("2025-11-24T16:00:00Z", T0),
        (datetime(2025, 11, 24, 16, tzinfo=UTC), T0),
        (datetime(2025, 11, 24, 17, 0, 0, 1, tzinfo=timezone(timedelta(hours=1))), T0 + 1000),
        (pd.Timestamp(T0 + 123_456_789, tz="Europe/London"), T0 + 123_456_789),
        (np.datetime64(T0 + 7, "ns"), T0 + 7),
        (1_764_000_000, T0),
        (1_764_000_000.25, T0 + 250_000_000),
        (T0 + 3, T0 + 3),
        (np.int64(T0 + 3), T0 + 3),
    ],
)
def test_times_are_taken_as_people_write_them(when: Any, right: int) -> None:
    assert time_ns(when, NOW) == right


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (datetime(2025, 11, 24), "has no time zone: write"),
        (pd.Timestamp("2025-11-24"), "has no time zone: write"),
        (1_764_000_000_000, "neither seconds nor whole nanoseconds"),
        ("yesterday", "is no time: write an ISO time"),
        ("-1 fortnight", "is no time: write an ISO time"),
        (np.datetime64("NaT"), "no time of an archive"),
        (float("nan"), "neither seconds"),
        (None, "is no time: write"),
        (True, "is no time: write"),
    ],
)
def test_what_is_no_time_is_told(when: Any, why: str) -> None:
    with pytest.raises(WrongTimeError, match=why):
        time_ns(when, NOW)


def test_lengths_of_time() -> None:
    assert length_ns("100ms") == 100_000_000
    assert length_ns(0.1) == 100_000_000
    assert length_ns(5) == 5_000_000_000
    assert length_ns("1.5h") == 5_400_000_000_000
    assert length_ns(timedelta(milliseconds=1)) == 1_000_000
    assert length_ns(np.timedelta64(3, "us")) == 3_000
    for wrong in (0, -1, "0s", "soon", None, float("inf")):
        with pytest.raises(WrongTimeError, match=r"no length of time|no time"):
            length_ns(wrong)  # type: ignore[arg-type]


def test_samples_are_easy_to_go_on_with() -> None:
    archive = the_archive()

    samples = archive.samples("QUAD:READI", T0 + 5, T0 + 10)

    assert len(samples) == 2
    assert samples.kind == "float64"
    times, values = samples.to_numpy()
    assert times.dtype == np.dtype("datetime64[ns]")
    assert values.tolist() == [1.5, 2.5]
    assert samples.time_ns.tolist() == [T0, T0 + 10]
    frame = samples.to_pandas()
    assert frame.index.equals(pd.DatetimeIndex([T0, T0 + 10], tz="UTC", name="time"))
    assert list(frame.columns) == ["value", "severity", "status", "tag"]
    assert samples.to_polars()["time"].dtype.time_zone == "UTC"
    assert "2 samples of QUAD:READI" in repr(samples)


def test_labels_make_a_categorical() -> None:
    archive = the_archive()
    labels = archive.metadata("QUAD:STATE").labels
    frame = archive.samples("QUAD:STATE").to_pandas(labels=labels)
    assert frame["value"].tolist() == ["On"]


def test_a_table_in_each_form() -> None:
    archive = the_archive()

    frame = archive.table("*", T0, T0 + 10, as_="pandas")

    assert frame.index.tolist() == [pd.Timestamp(t, tz="UTC") for t in (T0, T0 + 5, T0 + 10)]
    assert frame["QUAD:READI"].tolist() == [1.5, 1.5, 2.5]
    assert np.isnan(frame["QUAD:STATE"].iloc[0])
    polars = archive.table("*", T0, T0 + 10, as_="polars")
    assert polars["QUAD:STATE"].to_list() == [None, 1, 1]
    cube = archive.table("*", T0, T0 + 10, as_="xarray")
    assert isinstance(cube, xr.Dataset)
    assert cube["SCOPE:WAVE"].shape == (3, 2)
    assert cube["QUAD:READI"].attrs == {"units": "A", "long_name": "Current"}
    with pytest.raises(UserError, match="arrow, pandas, polars, xarray"):
        archive.table("*", as_="excel")  # type: ignore[call-overload]


def test_bins_have_an_index_of_their_starts() -> None:
    bins = the_archive().bins("QUAD:READI", T0, T0 + 100, 4)
    assert bins.start.astype(np.int64).tolist() == [T0, T0 + 25, T0 + 50, T0 + 75]
    assert bins.to_pandas()["mean"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert len(bins.column("mean")) == 4


def test_what_is_next_and_what_is_unknown() -> None:
    archive = the_archive()
    assert archive.after("QUAD:READI", T0).value.tolist() == [2.5]
    assert archive.pvs("QUAD:*") == ["QUAD:READI", "QUAD:STATE"]
    assert list(archive.events("QUAD:READI")) == []
    assert [s.value.tolist() for s in archive.stream("QUAD:READI", T0, T0 + 99)] == [[1.5, 2.5]]
    with pytest.raises(UnknownPvError, match="QUAD:RAEDI; did you mean QUAD:READI"):
        archive.samples("QUAD:RAEDI")
    with pytest.raises(UserError, match="a folder has nothing live"):
        archive.live("QUAD:READI")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder; write the address"):
        Archive(tmp_path / "nothing")
    with pytest.raises(UserError, match="write the address"):
        Archive("10.61.2.60:17665")


def test_only_arrow_and_numpy_are_imported() -> None:
    heavy = ["pandas", "polars", "xarray", "h5py", "fastapi", "websockets", "p4p", "sqlite3"]
    script = (
        "import sys, linacre.archiver\n"
        "assert 'pyarrow' not in sys.modules\n"
        "from linacre.archiver import Archive\n"
        "Archive('http://127.0.0.1:1')\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")


def test_the_five_lines_of_the_documentation_work(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[4] / "docs" / "how-to" / "archive-data-in-pandas.md"
    lines = page.read_text().partition("```python\n")[2].partition("```")[0]
    assert len(lines.split("\n\n", 1)[1].splitlines()) <= 4
    now = time.time_ns()
    times = [now - k * 1_000_000_000 for k in range(7200, 0, -1)]
    names = ["CLA-S02-DIA-BPM-01:X", "CLA-S02-MAG-QUAD-01:READI"]
    reader = FakeReader(
        {
            pv: samples_of(Kind.FLOAT64, times, np.arange(7200) * (k + 1.0))
            for k, pv in enumerate(names)
        },
        batch_rows=10_000,
    )
    here = lines.replace('"http://10.61.2.60:17665"', "reader")
    assert here != lines

    exec(here, {"reader": reader})

    assert "1.0" in capsys.readouterr().out
