"""A measured quantity: what calibration, offset, noise, drift and converter make of the truth."""

from __future__ import annotations

from numpy.random import Generator
from pydantic import Field

from linacre.accelerator.instruments.drifts import Drift
from linacre.accelerator.shots import Shot
from linacre.physics.curves import Number, Part, Positive


class Channel(Part):
    """Everything is in the unit of the quantity that is measured."""

    scale: Number = 1.0
    """What the calibration multiplies the truth with; 1 where it is right."""
    offset: Number = 0.0
    """What is read where there is nothing."""
    noise: Number = Field(default=0.0, ge=0)
    """Of one shot, rms."""
    drift: Drift = Drift()
    full_scale: Positive | None = None
    """Where the converter ends, on either side of 0."""
    bits: int | None = Field(default=None, ge=2, le=32)
    """Of the converter, its sign among them; needs a full scale."""

    def read(
        self,
        truth: float,
        draws: Generator,
        *,
        shot: Shot,
        element: str,
        quantity: str,
        noisier: float = 1.0,
    ) -> float:
        """Return the reading; one number is drawn for the noise, whatever there is to read.

        The noise is so many times that of the channel as `noisier` says.
        """
        noise = self.noise * noisier * draws.standard_normal()
        found = self.scale * truth + self.offset + noise
        return self._converted(found + self.drift.at(shot, element, quantity))

    def _converted(self, value: float) -> float:
        if self.full_scale is None:
            return value
        if self.bits is not None:
            step = self.full_scale / 2 ** (self.bits - 1)
            value = round(value / step) * step
        return min(max(value, -self.full_scale), self.full_scale)
