"""How the integrated strength of a magnet follows its current, and the current that gives one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from linacre.physics.branches import Branch
from linacre.physics.numbers import FloatArray, Real


@dataclass(frozen=True)
class Excitation:
    """A remanence, and a strength that is odd in the current: branches of |I|, end to start.

    Two branches need not meet at the knee between them, since each was fitted by itself. In the
    gap that is left there the knee's current is the answer; where they overlap, the lower branch
    has it.
    """

    remanence: float
    """The strength at no current, in the curve's own unit."""
    branches: tuple[Branch, ...]

    @cached_property
    def limit_a(self) -> float:
        """The current up to which the strength rises, on either side of zero."""
        return self.branches[-1].end

    @property
    def lowest(self) -> float:
        """The strength at the limit on the negative side."""
        return self.remanence - self.branches[-1].highest

    @property
    def highest(self) -> float:
        """The strength at the limit on the positive side."""
        return self.remanence + self.branches[-1].highest

    def strength(self, current: Real) -> Real:
        """Return strengths in the curve's own unit; NaN for a current beyond the limit."""
        if isinstance(current, np.ndarray):
            return cast("Real", self._strengths(current))
        return cast("Real", self._strength(current))

    def _strength(self, current: float) -> float:
        size = abs(current)
        if not (size <= self.limit_a and math.isfinite(size)):
            return math.nan
        branch = next(each for each in reversed(self.branches) if size >= each.start)
        return self.remanence + math.copysign(branch.value(size), current)

    def _strengths(self, currents: FloatArray) -> FloatArray:
        sizes = np.abs(currents)
        known = np.isfinite(sizes) & (sizes <= self.limit_a)
        sizes = np.where(known, sizes, 0.0)
        found = np.zeros_like(sizes)
        for branch in self.branches:
            found = np.where(sizes >= branch.start, branch.value(sizes), found)
        return self.remanence + np.copysign(np.where(known, found, np.nan), currents)

    def current(self, strength: FloatArray) -> FloatArray:
        """Return currents in A; NaN for a strength that none gives."""
        odd = strength - self.remanence
        # What was lost in rounding on the way up must not put the limit itself out of reach.
        reach = self.branches[-1].highest * (1 + 4 * np.finfo(float).eps)
        known = np.isfinite(odd) & (np.abs(odd) <= reach)
        size = np.where(known, np.abs(odd), 0.0)
        lower, *uppers = self.branches
        found = lower.inverse(size)
        for upper in uppers:
            found = np.where(size <= lower.highest, found, upper.inverse(size))
            lower = upper
        return np.copysign(np.where(known, found, np.nan), odd)
