"""The faults of a machine: those that are ordered, and what they do in each pulse."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from linacre.accelerator.faults.kinds import IocCondition, Now
from linacre.accelerator.faults.orders import Clear, Order, OrderError, ResetOrder, parse
from linacre.accelerator.faults.targets import Targets, Values
from linacre.accelerator.shots import Shot

MOST = 100
"""Orders at a time."""
_REMEMBERED = 1000
"""What happened, the last so many times."""


class State(StrEnum):
    """How far an order has come."""

    AHEAD = "ahead"
    ACTING = "acting"
    LATCHED = "latched"
    """Its cause is over; it acts until it is reset."""
    OVER = "over"


@dataclass
class Standing:
    """An order, and what it remembers."""

    number: int
    order: Order
    state: State = State.AHEAD
    cleared: bool = False
    reset: bool = False
    """Whether it was reset since the last pulse."""
    acted: bool = False
    kept: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def acts(self) -> bool:
        """Whether values are changed by it."""
        return self.state in (State.ACTING, State.LATCHED)


@dataclass(frozen=True)
class Event:
    """An order that came to another state at a pulse."""

    pulse: int
    number: int
    order: Order
    state: State


class Faults:
    """Every order of a machine.

    In each pulse `settings` comes before the step of the model and `readings` behind it. Orders act
    in the order of their first pulses, those of one pulse in that of their numbers; those that
    readings do not tell of act after the others. With the same shots, orders and values all is the
    same, to the last bit. Orders may be given from several threads.
    """

    def __init__(
        self,
        targets: Targets,
        *,
        pulse: int = -1,
        next_number: int = 1,
        standing: Iterable[Standing] = (),
    ) -> None:
        self.targets = targets
        self.pulse = pulse
        """The last one."""
        self.next_number = next_number
        """Of the next order."""
        self.happened: deque[Event] = deque(maxlen=_REMEMBERED)
        self._standing = list(standing)
        self._hidden: Values = {}
        self._conditions: dict[str, IocCondition] = {}
        self._lock = threading.RLock()

    @property
    def standing(self) -> tuple[Standing, ...]:
        """The orders that are not over, in the order in which they act."""
        with self._lock:
            return tuple(self._standing)

    def give(self, text: str) -> Standing | None:
        """Take an order, a `clear` or a `reset` as text; raises `OrderError`."""
        with self._lock:
            found = parse(text, targets=self.targets, now=self.pulse)
            match found:
                case Order():
                    return self.add(found)
                case Clear():
                    self.clear(found)
                case ResetOrder():
                    self.reset(found.target)
            return None

    def add(self, order: Order) -> Standing:
        """Take an order; raises `OrderError` where there are too many, or it is over."""
        with self._lock:
            if len(self._standing) >= MOST:
                raise OrderError(f"there are {MOST} orders already; clear one")
            if order.at <= self.pulse:
                raise OrderError(f"at {order.at} is over; the last pulse was {self.pulse}")
            found = Standing(self.next_number, order)
            self.next_number += 1
            self._standing.append(found)
            self._standing.sort(key=lambda each: (each.order.at, each.number))
            return found

    def clear(self, which: Clear) -> None:
        """End orders with the next pulse; raises `OrderError` where there is none such."""
        with self._lock:
            found = [
                each
                for each in self._standing
                if which.number in (None, each.number) and which.target in ("", each.order.target)
            ]
            if not found and which != Clear():
                what = which.target if which.number is None else f"with the number {which.number}"
                raise OrderError(f"no order {what} stands; see the list of those that do")
            for each in found:
                each.cleared = True

    def reset(self, target: str) -> None:
        """Reset an element with the next pulse, as its own PV does; it may be in order."""
        with self._lock:
            for each in self._standing:
                each.reset = each.reset or each.order.target == target

    def settings(self, settings: Values, shot: Shot) -> Values:
        """Begin a pulse, and return the settings that the beam feels in it."""
        with self._lock:
            found = dict(settings)
            self.pulse = shot.pulse
            self._go_on(settings, shot.pulse)
            acting = list(self._acting(shot))
            for each, now in acting:
                if not each.order.kind.hides:
                    each.order.kind.on_settings(found, now)
            # What is hidden lies between what is measured and the beam.
            measured = dict(found)
            for each, now in acting:
                if each.order.kind.hides:
                    each.order.kind.on_settings(found, now)
            self._hidden = {
                key: measured[key] - found[key]
                for each, now in acting
                for quantity in each.order.kind.hides
                if (key := (now.target.acts_on, quantity)) in found
            }
            self._conditions = _conditions(acting)
            return found

    def readings(self, readings: Values, shot: Shot) -> Values:
        """Return the readings that are seen in a pulse, and end it.

        Readbacks of settings among them are those of the settings that the beam feels.
        """
        with self._lock:
            found = dict(readings)
            for key, more in self._hidden.items():
                if key in found:
                    found[key] += more
            for each, now in self._acting(shot):
                each.order.kind.on_readings(found, now)
                each.acted = True
            return found

    def iocs(self) -> dict[str, IocCondition]:
        """Return what is asked for of IOCs in the last pulse; those that are well are left out."""
        with self._lock:
            return dict(self._conditions)

    def _go_on(self, settings: Values, pulse: int) -> None:
        """Bring each order to its state in a pulse; those that are over go."""
        for each in self._standing:
            state = _state(each, settings, pulse)
            each.reset = False
            if state is State.AHEAD:
                # Also behind a machine that was set back.
                each.acted = False
                each.kept.clear()
            if state is not each.state:
                each.state = state
                self.happened.append(Event(pulse, each.number, each.order, state))
        self._standing = [each for each in self._standing if each.state is not State.OVER]

    def _acting(self, shot: Shot) -> Iterator[tuple[Standing, Now]]:
        for each in self._standing:
            if each.acts:
                order = each.order
                now = Now(
                    shot=shot,
                    target=self.targets[order.target],
                    given=order.parameters,
                    quantity=order.quantity,
                    number=each.number,
                    age=shot.pulse - order.at,
                    first=not each.acted,
                    kept=each.kept,
                )
                yield each, now


def _conditions(acting: Iterable[tuple[Standing, Now]]) -> dict[str, IocCondition]:
    found: dict[str, IocCondition] = {}
    for each, now in acting:
        if (condition := each.order.kind.condition) is not None:
            name = each.order.target
            found[name] = condition(now).and_also(found.get(name, IocCondition()))
    return found


def _state(standing: Standing, settings: Values, pulse: int) -> State:
    order = standing.order
    if pulse < order.at:
        return State.OVER if standing.cleared else State.AHEAD
    if not standing.cleared and (order.end is None or pulse < order.end):
        return State.ACTING
    reset = order.kind.reset
    if reset is None or standing.state is State.AHEAD:
        return State.OVER
    written = settings.get((order.target, reset.quantity)) == reset.value
    return State.OVER if written or standing.reset else State.LATCHED
