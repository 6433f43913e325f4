"""Random numbers by counting: a shot's are its own, whatever was drawn before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator.shots import Shot
from linacre.base.errors import UserError

NUMBERS = st.integers(0, 2**64 - 1)


@given(NUMBERS, NUMBERS)
def test_the_same_shot_draws_the_same(seed: int, pulse: int) -> None:
    one, other = (Shot(seed, pulse).draws("BPM", "noise").bytes(64) for _ in range(2))
    assert one == other


def test_seed_pulse_element_and_purpose_each_draw_others() -> None:
    drawn = {
        Shot(seed, pulse).draws(element, purpose).bytes(16)
        for seed in (0, 1, 2**63)
        for pulse in (0, 1, 2**63)
        for element in ("A", "B")
        for purpose in ("", "noise")
    }
    assert len(drawn) == 3 * 3 * 2 * 2


def test_long_draws_of_neighbouring_pulses_do_not_overlap() -> None:
    first, second = (Shot(1, pulse).draws("A").standard_normal(100_000) for pulse in (7, 8))
    assert np.intersect1d(first, second).size == 0
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("seed", "pulse", "said"),
    [(-1, 0, "a seed of -1"), (0, 2**64, f"a pulse number of {2**64}"), (2**64, 0, "a seed of")],
)
def test_numbers_that_are_none(seed: int, pulse: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Shot(seed, pulse)
