"""A polynomial where it rises: there each value has one place, which can be found again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from linacre.physics.numbers import FloatArray, Real, polynomial

_HALVINGS = 64
"""Enough to bring any bracket of currents down to neighbouring floating point numbers."""


@dataclass(frozen=True)
class Branch:
    """A polynomial of the current that rises from `start` to `end`, both in A."""

    coefficients: tuple[float, ...]
    """That of the highest power first."""
    start: float
    end: float
    """Infinite where it rises for ever."""

    @classmethod
    def rising(cls, coefficients: tuple[float, ...], start: float, end: float = math.inf) -> Self:
        """Return the branch from `start` to where the polynomial turns, or to `end` before that.

        Raises `ValueError` where it does not rise from its start.
        """
        slope = np.polyder(np.asarray(coefficients))
        if not np.polyval(slope, start) > 0:
            raise ValueError(f"the curve does not rise at {start:g} A; correct its coefficients")
        roots = np.roots(slope)
        turns = [float(root.real) for root in roots if np.isreal(root) and root.real > start]
        return cls(coefficients, start, min([end, *turns]))

    @cached_property
    def lowest(self) -> float:
        """The value at its start."""
        return self.value(self.start)

    @cached_property
    def highest(self) -> float:
        """The value at its end."""
        return math.inf if math.isinf(self.end) else self.value(self.end)

    def value(self, current: Real) -> Real:
        """Return the value of the polynomial, also outside of the branch."""
        return polynomial(self.coefficients, current)

    def inverse(self, value: FloatArray) -> FloatArray:
        """Return the currents that give values from the branch's lowest to its highest.

        What is outside gives the nearer end.
        """
        within = np.clip(value, self.lowest, self.highest)
        match self.coefficients:
            case (slope, offset):
                found = (within - offset) / slope
            case (square, slope, offset) if slope > 0:
                # The root at which the polynomial rises, in the form that subtracts nothing.
                root = np.sqrt(np.maximum(slope**2 - 4 * square * (offset - within), 0.0))
                found = 2 * (within - offset) / (slope + root)
            case _:
                found = self._halved(within)
        return np.clip(found, self.start, self.end)

    def _halved(self, value: FloatArray) -> FloatArray:
        """Find currents by halving the bracket around each, down to the last digit."""
        low, high = np.full_like(value, self.start), self._above(value)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self.value(middle) < value
            low = np.where(below, middle, low)
            high = np.where(below, high, middle)
        return high

    def _above(self, value: FloatArray) -> FloatArray:
        """Return for each value a current of the branch that gives no less."""
        if not math.isinf(self.end):
            return np.full_like(value, self.end)
        current = np.full_like(value, max(2 * self.start, 1.0))
        while (below := self.value(current) < value).any():
            current = np.where(below, 2 * current, current)
        return current
