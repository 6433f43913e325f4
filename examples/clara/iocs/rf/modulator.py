"""The state machine of a klystron modulator, without any record."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

INTERLOCKS = 5


class State(IntEnum):
    """The states, by the word that the modulator reads back."""

    NOT_CONNECTED = 0x0000
    OFF_INTERLOCK = 0x1000
    OFF = 0x2000
    OFF_REQUESTED = 0x3000
    STANDBY_INTERLOCK = 0x4000
    STANDBY_REQUESTED = 0x5000
    STANDBY = 0x6000
    HV_OFF_REQUESTED = 0x7000
    HV_INTERLOCK = 0x8000
    HV_REQUESTED = 0x9000
    HV = 0xA000
    TRIGGER_OFF_REQUESTED = 0xB000
    TRIGGER_REQUESTED = 0xC000
    TRIGGER = 0xD000


LEVELS = (State.OFF, State.STANDBY, State.HV, State.TRIGGER)
"""The states that may be asked for, each reached by way of those before it."""

UP = (State.STANDBY_REQUESTED, State.HV_REQUESTED, State.TRIGGER_REQUESTED)
DOWN = (State.OFF_REQUESTED, State.HV_OFF_REQUESTED, State.TRIGGER_OFF_REQUESTED)

# Where a reset leads from an interlock.
AFTER_RESET = {
    State.OFF_INTERLOCK: State.OFF,
    State.STANDBY_INTERLOCK: State.STANDBY,
    State.HV_INTERLOCK: State.STANDBY,
}

# The klystron's heater takes its time; a real one takes a quarter of an hour.
WARM_UP_S = 10.0
STEP_S = 1.0


@dataclass
class Modulator:
    """A modulator: what it is asked for, where it is, and its interlocks."""

    state: State = State.OFF
    remaining_s: float = 0.0
    """Time until the step under way is done."""
    causes: list[bool] = field(default_factory=lambda: [False] * INTERLOCKS)
    """What is wrong now."""
    latched: list[bool] = field(default_factory=lambda: [False] * INTERLOCKS)
    """What was wrong since the last reset."""
    wanted: State = State.OFF
    """The level last asked for; an interlock asks for none."""
    _next: State = State.OFF

    @property
    def triggered(self) -> bool:
        """Whether it gives pulses."""
        return self.state is State.TRIGGER

    def ask(self, word: int) -> bool:
        """Ask for one of `LEVELS`; return whether it was one that can be had now."""
        if word not in LEVELS or self.state in AFTER_RESET:
            return False
        self.wanted = State(word)
        return True

    def reset(self) -> None:
        """Leave the interlock, as far as its causes are gone."""
        self.latched = list(self.causes)
        if self.state in AFTER_RESET and not any(self.latched):
            self.state = self.wanted = self._next = AFTER_RESET[self.state]

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.latched = [a or b for a, b in zip(self.latched, self.causes, strict=True)]
        if any(self.latched):
            self._trip()
            return
        if self.remaining_s > 0:
            self.remaining_s = max(0.0, self.remaining_s - seconds)
            if self.remaining_s > 0:
                return
            self.state = self._next
        if self.state in LEVELS and self.state is not self.wanted:
            self._step(LEVELS.index(self.state), LEVELS.index(self.wanted))

    def _step(self, now: int, wanted: int) -> None:
        """Begin to go one level up or down."""
        if wanted > now:
            self._next, self.state = LEVELS[now + 1], UP[now]
        else:
            self._next, self.state = LEVELS[now - 1], DOWN[now - 1]
        self.remaining_s = WARM_UP_S if self.state is State.STANDBY_REQUESTED else STEP_S

    def _trip(self) -> None:
        if self.state in AFTER_RESET:
            return
        self.remaining_s = 0.0
        if self.state >= State.HV_OFF_REQUESTED:
            self.state = State.HV_INTERLOCK
        elif self.state >= State.STANDBY_REQUESTED:
            self.state = State.STANDBY_INTERLOCK
        else:
            self.state = State.OFF_INTERLOCK
        self.wanted = self.state
