"""How changes are told apart in series of readings."""

from __future__ import annotations

import numpy as np
import pytest

from linacre.accelerator.faults.symptoms import Change, Series

RANDOM = np.random.default_rng(5)
USUAL = [*RANDOM.normal(10.0, 0.1, 60)]
AGAIN = [*RANDOM.normal(10.0, 0.1, 60)]
SERIES: dict[str, Series] = {
    "again": AGAIN,
    "held": [10.0] * 60,
    "zero": [0.0] * 60,
    "one": [1.0] * 60,
    "higher": [each + 0.5 for each in AGAIN],
    "drifting": [each + 0.02 * n for n, each in enumerate(AGAIN)],
    "noisy": [10.0 + 5 * (each - 10.0) for each in AGAIN],
    "spiky": [each + 5.0 * (n % 20 == 7) for n, each in enumerate(AGAIN)],
    "gaps": [None if n % 20 == 7 else each for n, each in enumerate(AGAIN)],
    "gone": [None] * 60,
}
SEEN = {
    Change.HOLDS: {"held", "zero", "one"},
    Change.ZERO: {"zero"},
    Change.ONE: {"one"},
    Change.RISES: {"higher", "drifting"},
    Change.FALLS: {"zero", "one"},
    Change.MOVES: {"zero", "one", "higher", "drifting", "gone"},
    Change.DRIFTS: {"drifting"},
    Change.SPREADS: {"drifting", "noisy", "spiky"},
    Change.JUMPS: {"spiky", "gaps"},
    Change.VANISHES: {"gaps", "gone"},
    Change.LATE: set(),
    Change.SAME: {"again", "held", "noisy", "spiky", "gaps"},
}


@pytest.mark.parametrize("change", Change)
def test_a_change_is_seen_where_it_is(change: Change) -> None:
    seen = {name for name, during in SERIES.items() if change.seen(USUAL, during)}
    assert seen == SEEN[change]


def test_a_series_of_nothing_is_one_too() -> None:
    assert Change.SAME.seen([0.0] * 20, [0.0] * 20)
    assert Change.RISES.seen([0.0] * 20, [1.0] * 20)
    assert Change.JUMPS.seen([0.0] * 20, [0.0] * 19 + [1.0])
    assert not Change.JUMPS.seen([0.0] * 20, [0.0] * 20)


def test_nothing_is_told_without_what_was_usual() -> None:
    for change in Change:
        if change is not Change.VANISHES:
            assert not change.seen([None] * 9, AGAIN)
