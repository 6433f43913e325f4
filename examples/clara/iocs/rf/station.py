"""An RF station: from the amplitude asked for to the power in the cavity, without any record."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from modulator import Modulator, State

AMPLITUDE_MAX = 16300
"""Of the low-level RF, in its own units."""

RISE_S = 0.7
# Without the power's loop the klystron gives a little less than was asked for.
DROOP = 0.97
ACHIEVED = 0.01
REFLECTED = 0.015


@dataclass
class Station:
    """The modulator, the permits, and the power that comes of them."""

    power_max_mw: float
    modulator: Modulator = field(default_factory=Modulator)
    permits: dict[str, bool] = field(default_factory=dict)
    tripped: bool = False
    starting: bool = False
    """Whether the automatic start is under way."""
    started: bool = False
    enabled: bool = False
    """Whether the high-level control is switched on."""
    power_mw: float = 0.0

    def amplitude(self, power_mw: float) -> float:
        """Return the amplitude for a power."""
        return AMPLITUDE_MAX * math.sqrt(max(0.0, power_mw) / self.power_max_mw)

    def power(self, amplitude: float) -> float:
        """Return the power for an amplitude, MW."""
        return self.power_max_mw * (amplitude / AMPLITUDE_MAX) ** 2

    @property
    def permitted(self) -> bool:
        """Whether all of the protection lets the RF be on."""
        return all(self.permits.values())

    @property
    def rf_on(self) -> bool:
        """Whether there can be power."""
        return self.modulator.triggered and self.permitted and not self.tripped

    @property
    def status(self) -> int:
        """How far it has been brought: OFF, STANDBY, HV_ON, TRIG or API_ON."""
        if self.modulator.triggered:
            return 4 if self.enabled and self.started else 3
        return 2 if self.modulator.state is State.HV else int(self.modulator.state is State.STANDBY)

    def start(self) -> None:
        """Begin the automatic start: everything that is needed for power, in its order."""
        self.starting = self.modulator.ask(State.TRIGGER)
        self.started = False

    def tick(self, seconds: float, *, amplitude: float, loop: bool) -> None:
        """Let time pass. With the power's `loop` closed, the power is what was asked for."""
        self.modulator.tick(seconds)
        # A permit that is lost under power: to be cleared by hand, not by the permit's return.
        if self.power_mw > 0 and not self.permitted:
            self.tripped = True
        if not self.modulator.triggered:
            self.started = False
            # Something else was asked for meanwhile, or an interlock stopped it.
            self.starting = self.starting and self.modulator.wanted is State.TRIGGER
        elif self.starting:
            self.starting, self.started = False, True
        if not self.rf_on:
            self.power_mw = 0.0
            return
        aim = self.power(amplitude) * (1.0 if loop else DROOP)
        self.power_mw += (aim - self.power_mw) * min(1.0, seconds / RISE_S)
