"""Parameters of faults: a number with a unit, between bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Parameter:
    """One number that an order may give."""

    name: str
    about: str
    default: float
    low: float
    high: float
    unit: str = ""

    @property
    def bounds(self) -> str:
        """What it may be: `0.001 to 10 A`."""
        return f"{self.low:g} to {self.high:g}{f' {self.unit}' if self.unit else ''}"

    def read(self, text: str) -> float:
        """Return the number that a text says, its unit behind it or not; raises `ValueError`."""
        found = _NUMBER.match(text)
        if found is None or text[found.end() :] not in ("", self.unit):
            raise ValueError(f"it is a number, {self.bounds}")
        value = float(found[0])
        if not self.low <= value <= self.high:
            raise ValueError(f"it is {self.bounds}")
        return value
