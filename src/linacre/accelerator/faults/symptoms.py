"""How a fault shows: which values change, and in what way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from linacre.accelerator.faults.targets import TargetKind
from linacre.physics.numbers import FloatArray

Series = Sequence[float | None]
"""A value in successive pulses; None where there is none."""

_DEVIATIONS = 6.0
"""Of the mean of a series, what no chance explains."""


class Where(StrEnum):
    """Which elements a symptom is seen at."""

    TARGET = "the element"
    BEHIND = "elements behind it"
    BEFORE = "elements before it"


class Change(StrEnum):
    """What is different while a fault lasts."""

    HOLDS = "does not change any more"
    ZERO = "is 0"
    ONE = "is 1"
    RISES = "is higher"
    FALLS = "is lower"
    MOVES = "is elsewhere, or gone"
    DRIFTS = "goes away more and more"
    SPREADS = "varies more"
    JUMPS = "is far off in some pulses, or gone in them"
    VANISHES = "is not renewed"
    LATE = "comes late"
    SAME = "is as before"

    def seen(self, before: Series, during: Series) -> bool:
        """Tell whether a series changed so.

        Both need some tens of pulses; those of `before` are of a machine in order. A delay is not
        in the values: that they are late shows in their time stamps alone.
        """
        there = np.array([each for each in during if each is not None])
        if self is Change.VANISHES:
            return there.size < len(during)
        usual = np.array([each for each in before if each is not None])
        if not usual.size or self is Change.LATE:
            return False
        if there.size < len(during) and self in (Change.MOVES, Change.JUMPS):
            return (there.size == 0) is (self is Change.MOVES)
        return there.size > 0 and _TESTS[self](usual, there)


def _step(before: FloatArray, during: FloatArray) -> float:
    """Return by how many deviations of a mean two series differ."""
    error = np.hypot(before.std() / np.sqrt(before.size), during.std() / np.sqrt(during.size))
    step = float(during.mean() - before.mean())
    tiny = 1e-9 * max(abs(before.mean()), abs(during.mean()))
    return 0.0 if abs(step) <= tiny else step / max(error, abs(step) * 1e-9)


def _drifts(before: FloatArray, during: FloatArray) -> bool:
    third = max(1, during.size // 3)
    first, last = during[:third], during[-third:]
    away = abs(last.mean() - before.mean()) > abs(first.mean() - before.mean())
    return bool(away) and abs(_step(first, last)) > _DEVIATIONS


def _jumps(before: FloatArray, during: FloatArray) -> bool:
    width = max(before.std(), 1e-9 * abs(before.mean()), np.finfo(float).tiny)
    away = np.abs(during - np.median(before)) / width
    # Most pulses are as usual.
    return bool(np.median(away) < _DEVIATIONS / 2 and away.max() > 2 * _DEVIATIONS)


_TESTS: Mapping[Change, Callable[[FloatArray, FloatArray], bool]] = {
    Change.HOLDS: lambda before, during: bool(np.ptp(during) == 0),
    Change.ZERO: lambda before, during: bool((during == 0).all()),
    Change.ONE: lambda before, during: bool((during == 1).all()),
    Change.RISES: lambda before, during: _step(before, during) > _DEVIATIONS,
    Change.FALLS: lambda before, during: _step(before, during) < -_DEVIATIONS,
    Change.MOVES: lambda before, during: abs(_step(before, during)) > _DEVIATIONS,
    Change.DRIFTS: _drifts,
    Change.SPREADS: lambda before, during: bool(during.std() > 2 * before.std()),
    Change.JUMPS: _jumps,
    Change.SAME: lambda before, during: abs(_step(before, during)) <= _DEVIATIONS,
}


_WORDS = {
    "*": "each main reading",
    "acting": "each reading of what is set",
    "orbit": "`X` or `Y`",
}


@dataclass(frozen=True)
class Symptom:
    """One way in which a fault shows."""

    where: Where
    quantity: str
    """The suffix of a PV, or one of `_WORDS`."""
    change: Change
    only: tuple[TargetKind, ...] = ()
    """The kinds of the fault's target that show it; all of the fault's where there are none."""

    @property
    def words(self) -> str:
        """The symptom as a sentence without its end."""
        what = _WORDS.get(self.quantity, f"`{self.quantity}`")
        of = f" ({', '.join(self.only)})" if self.only else ""
        return f"{what} of {self.where}{of} {self.change}"
