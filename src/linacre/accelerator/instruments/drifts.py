"""Slow drifts: bounded, smooth, and known at every pulse without the pulses before it."""

from __future__ import annotations

import math
from functools import lru_cache

from pydantic import Field

from linacre.accelerator.shots import Shot
from linacre.physics.curves import Number, Part

_RATIO = (1 + math.sqrt(5)) / 2
"""Of the periods: the golden section, whose powers repeat least."""
_SINES = 4


class Drift(Part):
    """A sum of slow sines whose phases are of the seed, the slower ones the larger."""

    bound: Number = Field(default=0.0, ge=0)
    """What it never exceeds, in the unit of the quantity that drifts."""
    period_pulses: int = Field(default=36_000, ge=2, le=10**9)
    """Of the slowest sine; at 10 Hz an hour."""

    def at(self, shot: Shot, element: str, quantity: str) -> float:
        """Return how far a quantity of an element has drifted."""
        if self.bound == 0:
            return 0.0
        sines = _sines(shot.seed, element, quantity, self.period_pulses)
        return self.bound * sum(
            weight * math.sin(2 * math.pi * (shot.pulse % period) / period + phase)
            for weight, period, phase in sines
        )

    @property
    def rms(self) -> float:
        """Its root mean square over a long time."""
        return self.bound * math.sqrt(sum(weight**2 for weight in _weights()) / 2)


@lru_cache(maxsize=4096)
def _sines(
    seed: int, element: str, quantity: str, period_pulses: int
) -> tuple[tuple[float, int, float], ...]:
    draws = Shot(seed, 0).draws(element, f"drift of {quantity}")
    phases = draws.uniform(0.0, 2 * math.pi, _SINES)
    return tuple(
        (weight, max(2, round(period_pulses / _RATIO**number)), float(phase))
        for number, (weight, phase) in enumerate(zip(_weights(), phases, strict=True))
    )


def _weights() -> list[float]:
    raw = [_RATIO**-number for number in range(_SINES)]
    return [each / sum(raw) for each in raw]
