"""Drifts: bounded, slow, and the same from wherever they are asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator.instruments.drifts import Drift
from linacre.accelerator.shots import Shot

DRIFT = Drift(bound=0.5, period_pulses=3600)


def along(pulses: range, *, seed: int = 5) -> np.ndarray:
    return np.array([DRIFT.at(Shot(seed, pulse), "BPM", "X") for pulse in pulses])


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_never_exceeds_its_bound(seed: int, pulse: int) -> None:
    assert abs(DRIFT.at(Shot(seed, pulse), "BPM", "X")) <= DRIFT.bound


def test_goes_as_far_as_it_says_and_no_faster_than_its_sines() -> None:
    seen = along(range(0, 400_000, 7))
    assert np.isclose(seen.std(), DRIFT.rms, rtol=0.05)
    fastest = 2 * np.pi * 1.618**3 / DRIFT.period_pulses * DRIFT.bound
    assert np.abs(np.diff(along(range(2000)))).max() < fastest


def test_differs_between_seeds_and_quantities() -> None:
    values = {
        DRIFT.at(Shot(seed, 100), element, quantity)
        for seed in (1, 2)
        for element in ("A", "B")
        for quantity in "XY"
    }
    assert len(values) == 8


def test_none_is_none() -> None:
    assert Drift().at(Shot(1, 2), "BPM", "X") == 0.0
