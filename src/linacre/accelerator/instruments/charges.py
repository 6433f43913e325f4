"""Monitors of charge: wall current monitors, current transformers, Faraday cups."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.channels import Channel
from linacre.accelerator.shots import Shot
from linacre.physics.curves import Number, Part


class ChargeMonitorKind(StrEnum):
    """How a charge is measured."""

    WCM = "wall current monitor"
    ICT = "integrating current transformer"
    FCUP = "Faraday cup"

    @property
    def stops_beam(self) -> bool:
        """Whether nothing comes out of it."""
        return self is ChargeMonitorKind.FCUP


class ChargeMonitor(Part):
    """One monitor of charge, in pC.

    A transformer sees all that goes through; of what a Faraday cup stops some comes back out as
    secondary electrons (P. Forck, Lecture notes on beam instrumentation and diagnostics, GSI, on
    Faraday cups), which its `collects` leaves out.
    """

    kind: ChargeMonitorKind = ChargeMonitorKind.WCM
    charge: Channel = Channel(noise=0.5, full_scale=1000.0, bits=16)
    collects: Number = Field(default=1.0, ge=0, le=1)
    """The share of the charge that is kept and counted."""

    def ideal(self, arrival: Arrival) -> float:
        """Return the charge in pC that a perfect monitor shows."""
        return arrival.charge_pc

    def read(self, arrival: Arrival, *, shot: Shot, element: str) -> float:
        """Return the charge in pC that is read in a shot."""
        return self.charge.read(
            self.collects * arrival.charge_pc,
            shot.draws(element, "charge"),
            shot=shot,
            element=element,
            quantity="Q",
        )

    def values(self, reading_pc: float) -> dict[str, float]:
        """Return what goes into PVs, by suffix."""
        return {"Q": reading_pc}


WCM = ChargeMonitor()
ICT = ChargeMonitor(
    kind=ChargeMonitorKind.ICT, charge=Channel(noise=0.25, full_scale=1000.0, bits=16)
)
FCUP = ChargeMonitor(
    kind=ChargeMonitorKind.FCUP,
    charge=Channel(noise=0.1, full_scale=1000.0, bits=16),
    collects=0.98,
)
