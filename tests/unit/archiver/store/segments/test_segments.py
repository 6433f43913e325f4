"""Segments: what is written and merged is what is read, however it was cut."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment_samples import (
    DAY,
    HOUR,
    SMALL,
    START,
    Samples,
    expected,
    read,
    rows_of,
    write,
)

from linacre.archiver.model import NANOSECONDS, Kind
from linacre.archiver.store import compaction, rollups
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.segments import Cache, Level, Limits, Segment, SegmentSet

YEAR_END = 1_798_761_600 * NANOSECONDS
"""2027-01-01T00:00 UTC."""
_PVS = ("a", "B:é", "c:1", "zz")
_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FLOAT64: st.one_of(st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf]), st.floats()),
    Kind.FLOAT32: st.floats(width=32),
    Kind.INT64: st.integers(-(2**63), 2**63 - 1),
    Kind.UINT64: st.integers(0, 2**64 - 1),
    Kind.INT32: st.integers(-(2**31), 2**31 - 1),
    Kind.ENUM: st.integers(0, 3),
    Kind.STRING: st.text(max_size=5),
    Kind.FLOAT64_ARRAY: st.lists(st.floats(), max_size=4),
    Kind.FLOAT32_ARRAY: st.lists(st.floats(width=32), max_size=4),
    Kind.INT64_ARRAY: st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    Kind.UINT64_ARRAY: st.lists(st.integers(0, 2**64 - 1), max_size=3),
    Kind.INT32_ARRAY: st.lists(st.integers(-5, 5), max_size=3),
    Kind.INT16_ARRAY: st.lists(st.integers(-(2**15), 2**15 - 1), max_size=3),
    Kind.BYTES: st.binary(max_size=6),
    Kind.STRING_ARRAY: st.lists(st.text(max_size=3), max_size=3),
    Kind.STRUCT: st.just('{"x": 1}'),
}


@st.composite
def archives(draw: st.DrawFn) -> list[Samples]:
    """A few journals: each PV's times rise from one to the next, its kind may change."""
    clock = dict.fromkeys(_PVS, YEAR_END - HOUR)
    journals: list[Samples] = []
    for _ in range(draw(st.integers(1, 4))):
        samples: dict[tuple[str, Kind], list[Any]] = {}
        for pv in draw(st.lists(st.sampled_from(_PVS), max_size=6)):
            kind = draw(st.sampled_from(list(Kind)))
            for _ in range(draw(st.sampled_from([1, 2, 5, 17, 40]))):
                clock[pv] += draw(st.sampled_from([1, 10**8, 60 * 10**9, HOUR // 7]))
                value = draw(_VALUES[kind])
                severity, tag = draw(st.integers(0, 3)), draw(st.sampled_from([0, 0, -7]))
                sample = (clock[pv], value, severity, severity * 5, tag)
                samples.setdefault((pv, kind), []).append(sample)
        journals.append(samples)
    return journals


def _union(journals: list[Samples]) -> Samples:
    found: dict[tuple[str, Kind], list[Any]] = {}
    for journal in journals:
        for key, some in journal.items():
            found.setdefault(key, []).extend(some)
    return found


def _check(segments: list[Segment], samples: Samples) -> None:
    pvs = {pv for (pv, _), some in samples.items() if some}
    assert frozenset().union(*(one.pvs() for one in segments)) == pvs
    for pv in _PVS:
        want = expected(samples, pv)
        assert [row for one in segments for row in read(one, pv)] == want
        for segment in segments:
            mine = read(segment, pv)
            assert segment.span(pv) == ((mine[0][0], mine[-1][0]) if mine else None)
            for time, *_ in mine[::5]:
                last = segment.last(pv, time)
                assert last is not None and rows_of(last)[0][0] == time
                before = segment.last(pv, time - 1)
                older = [row for row in mine if row[0] < time]
                assert (before and rows_of(before)) == (older[-1:] or None)
                after = [row for c in segment.first(pv, time, 3) for row in rows_of(c)]
                assert after == [row for row in mine if row[0] > time][:3]
                assert read(segment, pv, time, time + HOUR) == [
                    row for row in mine if time < row[0] <= time + HOUR
                ]
            _check_rollups(segment, pv, samples, [row[0] for row in mine])


def _check_rollups(segment: Segment, pv: str, samples: Samples, times: list[int]) -> None:
    numbers = {
        sample[0]: (float(sample[1]), sample[2])
        for (name, kind), some in samples.items()
        for sample in some
        if name == pv and kind.is_scalar and sample[0] in set(times)
    }
    time = np.array(sorted(numbers), np.int64)
    value = np.array([numbers[t][0] for t in time.tolist()], np.float64)
    severity = np.array([numbers[t][1] for t in time.tolist()], np.int8)
    for step_s in (*segment.steps(pv), 60):
        want = rollups.rollup(time, value, severity, step_s * NANOSECONDS)
        found = segment.rollups(pv, step_s, 0, 2**62)
        for name in ("start", "count", "nan", "min", "max", "severity", "last_time"):
            np.testing.assert_array_equal(getattr(found, name), getattr(want, name), name)


@settings(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(journals=archives(), share=st.sampled_from([2, 10**9]))
def test_reads_what_was_written_and_merged(
    tmp_path_factory: pytest.TempPathFactory, journals: list[Samples], share: int
) -> None:
    root = tmp_path_factory.mktemp("segments")
    limits = Limits(**vars(SMALL) | {"rollup_share": share})
    cache = Cache()
    segments = [
        write(root, some, number=n, start_ns=YEAR_END - HOUR, limits=limits, cache=cache)
        for n, some in enumerate(journals, 1)
    ]
    samples = _union(journals)
    _check(segments, samples)
    tiers = compaction.Tiers(short=root, medium=root / "medium", long=root / "long")
    now = YEAR_END + 40 * DAY
    for _ in range(5):
        due = compaction.due(segments, now, tiers=tiers, limits=limits)
        if not due:
            break
        for merge in due:
            new = compaction.merge(merge, files=OsFiles(), limits=limits, cache=cache)
            compaction.discard(merge.inputs, files=OsFiles())
            segments = [one for one in segments if one not in merge.inputs] + [new]
    assert [one.level for one in segments] == [Level.MONTH]
    assert str(segments[0].name).startswith("2026-12-month-")
    _check(segments, samples)
    opened = SegmentSet.open([root, root / "medium", root / "long"])
    _check(list(opened.segments), samples)
    assert not opened.damaged


def test_without_some_pvs_nothing_else_changes(tmp_path: Path) -> None:
    samples: Samples = {
        (pv, Kind.FLOAT64): [(START + k, float(k), 0, 0, 0) for k in range(1, 50)] for pv in "abc"
    }
    old = write(tmp_path, samples, replaces=["00000001.journal"])
    assert compaction.rewrite_without(old, ["x"], files=OsFiles(), limits=SMALL) is None
    new = compaction.rewrite_without(old, ["b", "x"], files=OsFiles(), limits=SMALL)
    assert new is not None
    compaction.discard([old], files=OsFiles())
    found = SegmentSet.open([tmp_path], files=OsFiles())
    assert found.pvs() == {"a", "c"}
    assert found.replaces >= {"00000001.journal", old.name}
    assert read(found.segments[0], "c") == expected(samples, "c")
    assert read(found.segments[0], "b") == []
    again = compaction.rewrite_without(new, ["a", "c"], files=OsFiles(), limits=SMALL)
    assert again is not None and again.pvs() == frozenset()


def test_one_pv_costs_the_same_among_many(tmp_path: Path) -> None:
    sizes = {}
    for others in (10, 3000):
        cache = Cache()
        samples: dict[tuple[str, Kind], Any] = {
            (f"pv{n:05d}", Kind.FLOAT64): [(START + n, 1.0 * n, 0, 0, 0)] for n in range(others)
        }
        rows = 400
        samples["pv00005x", Kind.FLOAT64] = [
            (START + k, math.sin(k), 0, 0, 0) for k in range(1, rows + 1)
        ]
        limits = Limits(group_rows=200, own_rows=100, groups=4, rollup_rows=10**9)
        segment = write(tmp_path / str(others), samples, limits=limits, cache=cache)
        before = cache.bytes_read
        assert len(read(segment, "pv00005x")) == rows
        sizes[others] = cache.bytes_read - before
    # The index's header names each file, and 16 more are read of it at most.
    assert sizes[3000] < sizes[10] + 30_000
    assert sum(f.stat().st_size for f in segment.path.iterdir()) > 200_000


def test_roll_ups_of_a_long_series_that_comes_in_pieces(tmp_path: Path) -> None:
    limits = Limits(
        group_rows=500, own_rows=100, piece_rows=700, rollup_rows=1000, rollup_row_units=3
    )
    chance = np.random.default_rng(1)
    inputs: list[Segment] = []
    samples: dict[tuple[str, Kind], list[Any]] = {("fast", Kind.FLOAT64): []}
    for hour in range(3):
        times = START + hour * HOUR + np.sort(chance.choice(3600 * 40, 30_000, replace=False))
        times = (times - START - hour * HOUR) * (10**9 // 40) + START + hour * HOUR + 1
        values = chance.normal(1e6, 1e-3, len(times))
        values[chance.random(len(times)) < 0.2] = np.nan
        alarms = chance.integers(0, 4, len(times))
        rows = zip(times.tolist(), values.tolist(), alarms.tolist(), strict=True)
        some = [(time, value, alarm, 0, 0) for time, value, alarm in rows]
        samples["fast", Kind.FLOAT64] += some
        journal: Samples = {
            ("fast", Kind.FLOAT64): some,
            ("e", Kind.ENUM): [(some[0][0], 1, 0, 0, 0)],
        }
        inputs.append(write(tmp_path, journal, number=hour + 1, start_ns=some[0][0], limits=limits))
    tiers = compaction.Tiers(short=tmp_path, medium=tmp_path, long=tmp_path)
    (merge,) = compaction.due(inputs, START + 2 * DAY, tiers=tiers, limits=limits)
    day = compaction.merge(merge, files=OsFiles(), limits=limits)
    raw = np.array([(t, s) for t, _, s, _, _ in samples["fast", Kind.FLOAT64]])
    value = np.array([v for _, v, _, _, _ in samples["fast", Kind.FLOAT64]])
    assert day.steps("fast") == (60, 3600)
    assert inputs[0].steps("fast") == (60, 3600)
    low = Limits(**vars(limits) | {"rollup_share": 5})
    fine = compaction.merge(
        compaction.Merge(Level.MONTH, START, (day,), tmp_path), files=OsFiles(), limits=low
    )
    assert fine.steps("fast") == (1, 60, 3600)
    for segment, step_s in ((day, 60), (day, 3600), (fine, 1), (fine, 60), (fine, 3600)):
        want = rollups.rollup(raw[:, 0], value, raw[:, 1].astype(np.int8), step_s * NANOSECONDS)
        found = segment.rollups("fast", step_s, 0, 2**62)
        for name in rollups.COLUMNS:
            got, right = getattr(found, name), getattr(want, name)
            if name in ("sum", "sum_squares", "m2"):
                np.testing.assert_allclose(got, right, rtol=1e-6 if name == "m2" else 1e-12)
            else:
                np.testing.assert_array_equal(got, right, name)
        part = segment.rollups("fast", step_s, START + HOUR, START + 2 * HOUR)
        inside = (want.start >= START + HOUR) & (want.start < START + 2 * HOUR)
        np.testing.assert_array_equal(part.start, want.start[inside])


def test_set_finds_segments_in_the_order_of_time(tmp_path: Path) -> None:
    segments = [
        write(
            tmp_path,
            {("a", Kind.FLOAT64): [(START + n * HOUR + 1, float(n), 0, 0, 0)]},
            number=n,
            start_ns=START + n * HOUR,
        )
        for n in range(1, 6)
    ]
    found = SegmentSet.open([tmp_path])
    names = [one.name for one in found.find("a", START + 2 * HOUR, START + 4 * HOUR + 1)]
    assert names == [one.name for one in segments[1:4]]
    assert found.find("b", 0, 2**62) == []
    assert found.number == 5
    less = found.replaced(found.segments[:2], [])
    assert [one.number for one in less.segments] == [3, 4, 5]
    assert len(found.segments) == 5
