"""What one pulse was at every element: the answer of a model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linacre.accelerator.beams import Beam
from linacre.physics.constants import ELEMENTARY_CHARGE
from linacre.physics.numbers import FloatArray

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """Arrays by the index of elements: monitors see the beam in their middle, others behind.

    Charge is counted in electrons, so that none is made or lost by rounding. Where nothing comes
    everything is 0.
    """

    centroid: FloatArray
    """Of shape (n, 6), in the coordinates of `maps`."""
    sigma: FloatArray
    """Of shape (n, 6, 6)."""
    momentum_mev_c: FloatArray
    """Of the reference particle."""
    electrons: Counts
    """That come to each element; what a screen, a closed valve or a cup stops is among them."""
    lost: Counts
    """Behind the element before, up to this one and in it."""
    emitted: int
    """Electrons that left the gun."""
    delivered: int
    """That came to the end of a line; `emitted` is the sum of `lost` and this."""

    @cached_property
    def charge_c(self) -> FloatArray:
        """The charge at each element in C, above 0."""
        return self.electrons.astype(np.float64) * ELEMENTARY_CHARGE

    @cached_property
    def lost_c(self) -> FloatArray:
        """The charge that is lost at each element in C."""
        return self.lost.astype(np.float64) * ELEMENTARY_CHARGE

    def beam(self, index: int) -> Beam:
        """Return the beam at an element."""
        momentum = float(self.momentum_mev_c[index])
        return Beam(self.centroid[index], self.sigma[index], momentum)
