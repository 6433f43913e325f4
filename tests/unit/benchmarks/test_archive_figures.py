"""The archiver's benchmark: what it makes, and what it makes of what it measured."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import archive
from common import archive_events, archive_reading
from common.archive_options import Options
from common.archive_pieces import counts, pieces
from common.archive_signals import SHAPES, minutes
from linacre.archiver.model import NANOSECONDS

HOUR_NS = 3600 * NANOSECONDS


def options_of(monkeypatch: pytest.MonkeyPatch, *argv: str) -> Options:
    monkeypatch.setattr(sys, "argv", ["archive", *argv])
    parser = archive._parser()
    return Options.of(parser.parse_args(), Path("/nowhere"), parser.error)


def test_all_parts_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options_of(monkeypatch).told()["parts"] == list(archive.ALL_PARTS)
    assert options_of(monkeypatch, "--only", "size,events").parts == {"size", "events"}


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--only", "sizes"], "there is no part sizes; there are: size, "),
        (["--others", "1,many"], "--others is numbers with commas between"),
        (["--days", "0"], "greater than 0"),
    ],
)
def test_what_is_typed_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str], why: str
) -> None:
    with pytest.raises(SystemExit):
        options_of(monkeypatch, *argv)
    assert why in capsys.readouterr().err


def test_pieces_are_months_that_are_over_then_days_then_hours() -> None:
    end = datetime(2026, 11, 24, 10, tzinfo=UTC)
    found = pieces(end, 30)
    assert counts(found) == {"month": 1, "day": 23, "hour": 10}
    assert found[0].start_ns == int(datetime(2026, 10, 25, 10, tzinfo=UTC).timestamp()) * 10**9
    assert found[-1].end_ns == int(end.timestamp()) * 10**9
    assert all(one.end_ns == other.start_ns for one, other in itertools.pairwise(found))


def test_at_the_first_hour_of_a_year_all_is_in_months() -> None:
    found = pieces(datetime(2027, 1, 1, tzinfo=UTC), 40)
    assert counts(found) == {"month": 2}


@pytest.mark.parametrize("name", SHAPES)
def test_signals_increase_in_time_and_are_the_same_each_time(name: str) -> None:
    start, end = 1_795_000_000 * NANOSECONDS, 1_795_003_600 * NANOSECONDS
    one, again = (SHAPES[name].make(np.random.default_rng(7), start, end) for _ in range(2))
    assert len(one) > 20
    assert (np.diff(one.time) > 0).all()
    assert start <= one.time[0] < one.time[-1] < end + NANOSECONDS
    np.testing.assert_array_equal(one.time, again.time)
    np.testing.assert_array_equal(one.value, again.value)


def test_a_reading_has_three_noisy_digits() -> None:
    reading = SHAPES["reading"].make(np.random.default_rng(1), 0, HOUR_NS)
    steps = np.rint(reading.value * 1000)
    np.testing.assert_allclose(reading.value * 1000, steps, atol=1e-6)
    assert len(np.unique(steps)) > 700


def test_one_sample_a_minute_of_each_other_pv() -> None:
    found = minutes(np.random.default_rng(1), range(5), 10 * HOUR_NS, 11 * HOUR_NS)
    assert found.time.shape == found.value.shape == (5, 60)
    assert (np.diff(found.time, axis=1) > 0).all()
    assert found.time.min() >= 10 * HOUR_NS
    assert found.time.max() < 11 * HOUR_NS


def test_spans_are_those_that_the_archive_has() -> None:
    assert [span.name for span in archive_reading.spans(30)] == ["1 h", "1 day", "30 days"]
    assert [span.name for span in archive_reading.spans(2)] == ["1 h", "1 day"]
    assert [span.seconds for span in archive_reading.spans(0.01)] == [864]


def test_growth_compares_most_others_with_fewest(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of(monkeypatch, "--others", "1,100,10000")

    def figures(cold_s: float) -> dict[str, object]:
        each = {"1 h, bins": {"rows": 5, "cold_s": cold_s, "warm_s": 0.01}}
        return dict.fromkeys(("reader", "http", "client"), each)

    found = archive_reading.growth(
        {"1 others": figures(0.1), "100 others": figures(9), "10000 others": figures(0.2)}, options
    )
    expected = {"1 h, bins": {"cold_s": 2.0, "warm_s": 1.0}}
    ways = dict.fromkeys(("reader", "http", "client"), expected)
    assert found == {"growth from 1 to 10000 others": ways}


def test_counts_that_lack_are_told(tmp_path: Path) -> None:
    for number, (pv, values) in enumerate({"A": [5, 6, 7], "B": [1, 4], "C": [9]}.items()):
        columns = {"pv": [pv] * len(values), "time": values, "value": np.array(values, float)}
        table = pa.table(columns)
        pq.write_table(table, tmp_path / f"{number}.parquet")
    files = sorted(tmp_path.iterdir())
    assert archive_events.missing_counts(files, 0, 10) == (6, 2)
    assert archive_events.missing_counts(files, 4, 9) == (4, 0)
