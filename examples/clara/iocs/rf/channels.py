"""The records of the powers that the low-level RF measures."""

from __future__ import annotations

import random

from names import Names
from readings import Readings
from softioc import builder
from station import REFLECTED, Station

NOISE = 0.002


def noisy(value: float) -> float:
    """Return a value as it is measured; nothing is measured as nothing."""
    return value * (1 + random.gauss(0, NOISE)) if value else 0.0


def make_channels(names: Names, station: Station, readings: Readings) -> None:
    """Make the average and the highest power in a pulse, W."""
    for number, part, text in (
        (1, 1.0, "Klystron forward"),
        (3, 0.9, "Cavity forward"),
        (4, 0.9 * REFLECTED, "Cavity reverse"),
    ):
        for kind, factor in (("Avg", 1.0), ("Hi", 1.05)):
            scale = 1e6 * part * factor
            dead = 0.01 * scale
            readings.add(
                builder.aIn,
                f"ad1:ch{number}:Power:Wnd:{kind}",
                read=lambda scale=scale: noisy(scale * station.power_mw),
                EGU="W",
                PREC=0,
                MDEL=dead * names.power_max_mw,
                ADEL=2 * dead * names.power_max_mw,
                DESC=f"{text}, {kind}",
            )
