"""What several kinds of faults do to values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from linacre.accelerator.faults.kinds import Act, Now
from linacre.accelerator.faults.targets import Key, Values

Which = Callable[[Now], Iterable[Key]]
Chosen = Callable[[Now, float], float]
"""The new value of what had a value."""


def change(which: Which, chosen: Chosen) -> Act:
    """Return what gives some values new ones; values that are not there stay away."""

    def act(values: Values, now: Now) -> None:
        for key in which(now):
            if key in values:
                values[key] = chosen(now, values[key])

    return act


def hold(which: Which) -> Act:
    """Return what keeps values as they are in its first pulse, and new ones away."""

    def act(values: Values, now: Now) -> None:
        for key in which(now):
            if now.first and key in values:
                now.kept[key[1]] = values[key]
            if key[1] in now.kept:
                values[key] = now.kept[key[1]]
            else:
                values.pop(key, None)

    return act


def put(quantity: str, value: float) -> Act:
    """Return what gives a quantity of the target a value, also where it has none."""

    def act(values: Values, now: Now) -> None:
        values[now.target.name, quantity] = value

    return act


def in_turn(*acts: Act) -> Act:
    """Return what does several things, one after the other."""

    def act(values: Values, now: Now) -> None:
        for each in acts:
            each(values, now)

    return act


def setting(quantity: str) -> Which:
    """Return which keys are those of one quantity of what the target acts on."""
    return lambda now: [(now.target.acts_on, quantity)]


def ramp(now: Now) -> float:
    """Return how far a fault with a rate and a limit has gone, its first pulse among them."""
    limit = now["limit"]
    return max(-limit, min(limit, now["rate"] * (now.age + 1)))
