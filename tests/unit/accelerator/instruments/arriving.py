"""A beam that arrives at an instrument."""

from __future__ import annotations

import numpy as np

from linacre.accelerator.beams import Beam
from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.maps import DELTA, HORIZONTAL, X, Y
from linacre.accelerator.twiss import Twiss, sigma_of


def arrival(
    *, x_mm: float = 0.3, y_mm: float = -0.2, charge_pc: float = 100.0, tilt: float = 0.0
) -> Arrival:
    """Return one of some 0.4 and 0.3 mm, with x and y correlated by `tilt`."""
    sigma = sigma_of(
        Twiss(5e-8, 3.0, 0.0), Twiss(3e-8, 3.0, 0.0), length_m=3e-4, momentum_spread=1e-3
    )
    sigma[X, Y] = sigma[Y, X] = tilt * np.sqrt(sigma[X, X] * sigma[Y, Y])
    centroid = np.zeros(6)
    centroid[X], centroid[Y] = x_mm * 1e-3, y_mm * 1e-3
    return Arrival(Beam(centroid, sigma, 35.5), charge_pc * 1e-12)


def line_beam() -> Arrival:
    """Return a beam without any size but in x, on one line with its slope and momentum."""
    sigma = np.zeros((6, 6))
    sigma[np.ix_(HORIZONTAL, HORIZONTAL)] = 1e-6 * np.ones((2, 2))
    sigma[DELTA, DELTA] = 0.0
    return Arrival(Beam(np.zeros(6), sigma, 35.5), 1e-10)
