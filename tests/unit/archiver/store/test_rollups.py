"""Roll-ups are what NumPy makes of the samples, whichever way they were merged."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from linacre.archiver.store import rollups

STEP = 10


@st.composite
def series(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    n = draw(st.integers(1, 200))
    gaps = draw(hnp.arrays(np.int64, n, elements=st.sampled_from([1, 1, 2, 7, 35])))
    time = np.cumsum(gaps) + draw(st.integers(-50, 10**18))
    offset = draw(st.sampled_from([0.0, 1e9, -1e15]))
    value = draw(hnp.arrays(np.float64, n, elements=st.floats(-1e3, 1e3))) + offset
    value[draw(hnp.arrays(np.bool_, n))] = draw(st.sampled_from([np.nan, 1.0, -3e5]))
    severity = draw(hnp.arrays(np.int8, n, elements=st.integers(0, 3)))
    return time, value, severity


def check(steps: rollups.RollupColumns, step: int, samples: tuple[Any, Any, Any]) -> None:
    time, value, severity = samples
    index = time // step
    assert steps.start.tolist() == (np.unique(index) * step).tolist()
    for k, start in enumerate(steps.start.tolist()):
        mine = index == start // step
        number = value[mine][~np.isnan(value[mine])]
        assert steps.severity[k] == severity[mine].max()
        assert steps.count[k] == len(number)
        assert steps.nan[k] == mine.sum() - len(number)
        if not len(number):
            assert np.isnan([steps.min[k], steps.max[k], steps.first[k], steps.last[k]]).all()
            assert np.isnan(steps.mean[k]) and steps.sum[k] == steps.m2[k] == 0
            continue
        at = time[mine][~np.isnan(value[mine])]
        assert (steps.min[k], steps.max[k]) == (number.min(), number.max())
        assert (steps.first[k], steps.last[k]) == (number[0], number[-1])
        assert (steps.first_time[k], steps.last_time[k]) == (at[0], at[-1])
        scale = np.abs(number).max() + 1e-300
        close = {"rel": 0, "abs": 1e-12 * scale * len(number)}
        assert steps.sum[k] == pytest.approx(number.sum(), **close)
        assert steps.mean[k] == pytest.approx(number.mean(), rel=0, abs=1e-12 * scale)
        squares = 1e-12 * scale**2 * len(number)
        assert steps.sum_squares[k] == pytest.approx((number**2).sum(), rel=0, abs=squares)
        std = np.sqrt(steps.m2[k] / steps.count[k])
        assert std == pytest.approx(number.std(), rel=1e-9, abs=1e-12 * scale)


@settings(deadline=None)
@given(samples=series(), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_merged_and_whole_are_the_same(samples: tuple[Any, Any, Any], cuts: list[int]) -> None:
    time, value, severity = samples
    check(rollups.rollup(time, value, severity, STEP), STEP, samples)
    edges = [0, *sorted(min(cut, len(time)) for cut in cuts), len(time)]
    pieces = [
        rollups.rollup(time[a:b], value[a:b], severity[a:b], STEP)
        for a, b in itertools.pairwise(edges)
    ]
    merged = rollups.merge(rollups.concat(pieces), STEP)
    check(merged, STEP, samples)
    check(rollups.merge(merged, 7 * STEP), 7 * STEP, samples)


@settings(deadline=None)
@given(samples=series())
def test_bins_have_each_step_once(samples: tuple[Any, Any, Any]) -> None:
    time, value, severity = samples
    steps = rollups.rollup(time, value, severity, STEP)
    start = int(steps.start[0]) - STEP
    edges = np.arange(start, int(steps.start[-1]) + 5 * STEP, 3 * STEP)
    bins = rollups.to_bins(steps, edges)
    assert bins.start.tolist() == edges[:-1].tolist()
    inside = time < edges[-1]
    numbers = value[inside & ~np.isnan(value)]
    assert bins.count.sum() == len(numbers)
    if len(numbers):
        assert np.nanmax(bins.max) == numbers.max()


def test_infinite_values_hide_no_others() -> None:
    time = np.arange(1, 21, dtype=np.int64)
    value = np.arange(1.0, 21.0)
    value[3] = np.inf
    steps = rollups.rollup(time, value, np.zeros(20, np.int8), STEP)
    assert steps.max.tolist() == [np.inf, 19.0, 20.0]
    assert steps.sum.tolist() == [np.inf, sum(range(10, 20)), 20.0]
    assert np.isnan(steps.m2[0]) and steps.m2[1] == pytest.approx(82.5)


def test_a_step_is_left_out_where_it_saves_little() -> None:
    hour = 3600 * 10**9
    kept = {"fewest": 1000, "share": 20}
    assert rollups.steps_for(36_000, hour, **kept) == (60, 3600)
    assert rollups.steps_for(864_000, 24 * hour, **kept) == (60, 3600)
    assert rollups.steps_for(3_600_000, hour, **kept) == (1, 60, 3600)
    assert rollups.steps_for(999, 24 * hour, **kept) == ()
    assert rollups.steps_for(43_200, 720 * hour, **kept) == (3600,)
