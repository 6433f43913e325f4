"""How the source varies from shot to shot: the laser's place and energy, and the beam's energy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import Field

from linacre.accelerator.instruments.arrivals import MILLI, Arrival
from linacre.accelerator.instruments.drifts import Drift
from linacre.accelerator.maps import DELTA, X, Y
from linacre.accelerator.shots import Shot
from linacre.physics.curves import Number, Part


@dataclass(frozen=True)
class Deviation:
    """How far one shot's beam is from the one that is set."""

    x_mm: float = 0.0
    y_mm: float = 0.0
    charge_factor: float = 1.0
    """What the charge is multiplied with; never below 0."""
    momentum: float = 0.0
    """Of the mean momentum, relative."""

    def of(self, start: Arrival) -> Arrival:
        """Return the beam of the shot; the reference particle's momentum stays."""
        centroid = start.beam.centroid.copy()
        centroid[X] += self.x_mm * MILLI
        centroid[Y] += self.y_mm * MILLI
        centroid[DELTA] += self.momentum
        beam = replace(start.beam, centroid=centroid)
        return Arrival(beam, start.charge_c * self.charge_factor)


class Spread(Part):
    """How a quantity varies: at random each shot, and slowly."""

    jitter: Number = Field(default=0.0, ge=0)
    """Rms."""
    drift: Drift = Drift()

    def at(self, drawn: float, *, shot: Shot, element: str, quantity: str) -> float:
        """Return the deviation of a shot for which a normal number was drawn."""
        return self.jitter * drawn + self.drift.at(shot, element, quantity)


class Source(Part):
    """A photocathode gun and its laser."""

    x_mm: Spread = Spread(jitter=0.01, drift=Drift(bound=0.03))
    """Where the beam begins."""
    y_mm: Spread = Spread(jitter=0.01, drift=Drift(bound=0.03))
    charge: Spread = Spread(jitter=0.01, drift=Drift(bound=0.03))
    """Relative."""
    momentum: Spread = Spread(jitter=1e-4, drift=Drift(bound=3e-4))
    """Relative."""

    def deviation(self, shot: Shot, element: str) -> Deviation:
        """Return how the beam of a shot deviates."""
        drawn = shot.draws(element, "source").standard_normal(4)
        x, y, charge, momentum = (
            spread.at(float(number), shot=shot, element=element, quantity=quantity)
            for (quantity, spread), number in zip(self._spreads().items(), drawn, strict=True)
        )
        return Deviation(x, y, max(0.0, 1 + charge), momentum)

    def _spreads(self) -> dict[str, Spread]:
        return {"x": self.x_mm, "y": self.y_mm, "charge": self.charge, "momentum": self.momentum}


STEADY = Source(x_mm=Spread(), y_mm=Spread(), charge=Spread(), momentum=Spread())
"""A source that does not vary."""
