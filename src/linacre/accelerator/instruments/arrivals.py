"""What arrives at an instrument in one shot."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.accelerator.beams import Beam

PICO = 1e-12
MILLI = 1e-3


@dataclass(frozen=True)
class Arrival:
    """The beam at an element, and its charge; without beam the charge is 0."""

    beam: Beam
    charge_c: float

    @property
    def charge_pc(self) -> float:
        """The charge in pC."""
        return self.charge_c / PICO
