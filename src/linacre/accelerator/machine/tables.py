"""The beam along the machine as arrays, an entry an element; NaN where no beam came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.maps import DELTA, HORIZONTAL, VERTICAL, X, Y
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.twiss import twiss_of
from linacre.physics.kinematics import beta_gamma
from linacre.physics.numbers import FloatArray


@dataclass(frozen=True)
class Orbit:
    """The beam's centre along the machine."""

    names: tuple[str, ...]
    s_m: FloatArray
    """Where the beam is told at each element, along its way from the cathode."""
    x_m: FloatArray
    y_m: FloatArray
    delta: FloatArray
    momentum_mev_c: FloatArray
    charge_c: FloatArray


@dataclass(frozen=True)
class TwissPlane:
    """One plane along the machine."""

    beta_m: FloatArray
    alpha: FloatArray
    emittance_m: FloatArray
    """The geometric rms emittance."""
    normalised_emittance_m: FloatArray
    dispersion_m: FloatArray
    size_m: FloatArray
    """The rms size, dispersion included."""


@dataclass(frozen=True)
class TwissTable:
    """Both planes along the machine."""

    names: tuple[str, ...]
    s_m: FloatArray
    horizontal: TwissPlane
    vertical: TwissPlane


def orbit_of(lattice: Lattice, passage: Passage) -> Orbit:
    """Return the orbit of a pulse."""
    there = passage.electrons > 0

    def seen(values: FloatArray) -> FloatArray:
        return np.where(there, values, np.nan)

    return Orbit(
        lattice.names,
        lattice.s_m,
        seen(passage.centroid[:, X]),
        seen(passage.centroid[:, Y]),
        seen(passage.centroid[:, DELTA]),
        seen(passage.momentum_mev_c),
        passage.charge_c,
    )


def twiss_table(lattice: Lattice, passage: Passage) -> TwissTable:
    """Return the Twiss parameters of a pulse."""
    horizontal, vertical = (_plane(passage, plane) for plane in (HORIZONTAL, VERTICAL))
    return TwissTable(lattice.names, lattice.s_m, horizontal, vertical)


def _plane(passage: Passage, plane: tuple[int, int]) -> TwissPlane:
    rows = np.full((len(passage.electrons), 6), np.nan)
    for index in np.flatnonzero(passage.electrons):
        twiss = twiss_of(passage.sigma[index], plane)
        normalised = twiss.emittance_m * beta_gamma(float(passage.momentum_mev_c[index]))
        size = float(np.sqrt(passage.sigma[index, plane[0], plane[0]]))
        rows[index] = (
            twiss.beta_m,
            twiss.alpha,
            twiss.emittance_m,
            normalised,
            twiss.dispersion_m,
            size,
        )
    return TwissPlane(*(rows[:, column] for column in range(6)))
