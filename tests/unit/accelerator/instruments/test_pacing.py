"""Pacing of cameras: at most ten images a second, and only while one acquires."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator.instruments.pacing import Pacing


def images(times: Iterable[float], *, most_hz: float = 10.0, acquiring: bool = True) -> list[float]:
    pacing, found = Pacing(most_hz), []
    for time in times:
        taken, pacing = pacing.at(float(time), acquiring=acquiring)
        if taken:
            found.append(float(time))
    return found


@pytest.mark.parametrize(("rate", "expected"), [(1, 1), (10, 10), (15, 7.5), (20, 10), (100, 10)])
def test_rates(rate: float, expected: float) -> None:
    found = images(np.arange(rate * 60) / rate)
    assert len(found) / 60 == pytest.approx(expected, rel=0.01)


def test_pulses_at_a_multiple_of_the_rate_are_taken_evenly() -> None:
    found = images(np.arange(1000) / 100)
    assert np.allclose(np.diff(found), 0.1)


def test_pulses_that_jitter_at_the_very_rate_are_all_taken() -> None:
    random = np.random.default_rng(1)
    times = np.arange(1000) / 10 + random.normal(0, 0.002, 1000)
    assert len(images(times)) == 1000


@given(st.lists(st.floats(0, 0.3), max_size=300))
def test_never_more_than_the_rate_over_a_long_time(gaps: list[float]) -> None:
    times = np.cumsum(gaps)
    found = images(times)
    span = found[-1] - found[0] if found else 0.0
    assert len(found) <= 10 * (span + 0.021) + 1


def test_none_without_acquisition_and_no_more_by_switching() -> None:
    assert images(np.arange(100) / 10, acquiring=False) == []
    pacing, taken = Pacing(), 0
    for pulse in range(1000):
        found, pacing = pacing.at(pulse / 100, acquiring=pulse % 2 == 0)
        taken += found
    assert taken <= 101


def test_a_clock_that_is_put_back_does_not_stop_it() -> None:
    assert len(images([100.0, 100.1, 3.0, 3.1, 3.2])) == 5
