"""Beam position monitors: where the beam's centre is, and its charge."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field

from linacre.accelerator.instruments.arrivals import MILLI, Arrival
from linacre.accelerator.instruments.channels import Channel
from linacre.accelerator.instruments.drifts import Drift
from linacre.accelerator.maps import X, Y
from linacre.accelerator.shots import Shot
from linacre.physics.curves import Number, Part, Positive


@dataclass(frozen=True)
class BpmReading:
    """What a BPM shows of one shot; without beam there is a charge, and no position."""

    x_mm: float | None
    y_mm: float | None
    charge_pc: float

    @property
    def valid(self) -> bool:
        """Whether there was beam enough to tell where it was."""
        return self.x_mm is not None

    def values(self) -> dict[str, float]:
        """Return what goes into PVs, by suffix: X and Y are not among them without beam."""
        found = {"RDY": float(self.valid), "Q": self.charge_pc}
        if self.x_mm is not None and self.y_mm is not None:
            found |= {"X": self.x_mm, "Y": self.y_mm}
        return found


class Bpm(Part):
    """A stripline or button monitor.

    The position is the difference of two electrodes' signals over their sum, so that its noise goes
    with one over the charge (P. Forck, P. Kowina and D. Liakin, Beam position monitors, in
    CERN-2009-005, 187).
    """

    x: Channel = Channel(noise=0.005, drift=Drift(bound=0.02))
    """In mm; the noise is that at the charge below."""
    y: Channel = Channel(noise=0.005, drift=Drift(bound=0.02))
    charge: Channel = Channel(noise=0.2)
    """In pC."""
    noise_charge_pc: Positive = 100.0
    """The charge at which the noise of the positions is as written."""
    threshold_pc: Number = Field(default=2.0, gt=0)
    """With less there is no position: below, the sum of the signals is lost in their noise."""
    roll_rad: Number = Field(default=0.0, ge=-math.pi, le=math.pi)
    """How far it is turned about the beam, from x to y."""

    def ideal(self, arrival: Arrival) -> BpmReading:
        """Return the reading of a perfect monitor with the same threshold."""
        seen = arrival.charge_pc >= self.threshold_pc
        x, y = (float(arrival.beam.centroid[each]) / MILLI for each in (X, Y))
        return BpmReading(x if seen else None, y if seen else None, arrival.charge_pc)

    def read(self, arrival: Arrival, *, shot: Shot, element: str) -> BpmReading:
        """Return the reading of a shot."""
        draws = shot.draws(element, "bpm")
        charge = self.charge.read(
            arrival.charge_pc, draws, shot=shot, element=element, quantity="Q"
        )
        ideal = self.ideal(arrival)
        if ideal.x_mm is None or ideal.y_mm is None:
            return BpmReading(None, None, charge)
        cosine, sine = math.cos(self.roll_rad), math.sin(self.roll_rad)
        turned = (
            cosine * ideal.x_mm + sine * ideal.y_mm,
            cosine * ideal.y_mm - sine * ideal.x_mm,
        )
        noisier = self.noise_charge_pc / arrival.charge_pc
        x, y = (
            channel.read(
                position, draws, shot=shot, element=element, quantity=quantity, noisier=noisier
            )
            for channel, position, quantity in zip((self.x, self.y), turned, "XY", strict=True)
        )
        return BpmReading(x, y, charge)
