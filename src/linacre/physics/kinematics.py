"""Momentum, energy, velocity and rigidity of electrons.

Momenta are in MeV/c, energies in MeV, rigidities in T m; angles and strengths as their names say.
All functions take numbers and arrays; the formulas are E^2 = (pc)^2 + (mc^2)^2, E = gamma mc^2,
pc = beta gamma mc^2 and p = e B rho (J. D. Jackson, Classical Electrodynamics, 3rd ed., 11.5 and
12.2), written so that no digits are lost where the electron is slow.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from linacre.physics.constants import ELECTRON_REST_ENERGY_MEV, MEV_C_PER_TM
from linacre.physics.errors import OutOfRangeError
from linacre.physics.numbers import Real, first


def total_energy_mev(momentum_mev_c: Real) -> Real:
    """Return the total energy, rest energy included."""
    return cast("Real", np.hypot(momentum_mev_c, ELECTRON_REST_ENERGY_MEV))


def kinetic_energy_mev(momentum_mev_c: Real) -> Real:
    """Return the kinetic energy."""
    energy = total_energy_mev(momentum_mev_c)
    return momentum_mev_c * (momentum_mev_c / (energy + ELECTRON_REST_ENERGY_MEV))


def momentum_of_kinetic_energy(kinetic_energy_mev: Real) -> Real:
    """Return the momentum in MeV/c; raises `OutOfRangeError` below 0."""
    _check_at_least(kinetic_energy_mev, 0.0, "a kinetic energy")
    squared = kinetic_energy_mev * (kinetic_energy_mev + 2 * ELECTRON_REST_ENERGY_MEV)
    return cast("Real", np.sqrt(squared))


def momentum_of_total_energy(total_energy_mev: Real) -> Real:
    """Return the momentum in MeV/c; raises `OutOfRangeError` below the rest energy."""
    _check_at_least(total_energy_mev, ELECTRON_REST_ENERGY_MEV, "a total energy")
    return momentum_of_kinetic_energy(total_energy_mev - ELECTRON_REST_ENERGY_MEV)


def beta_gamma(momentum_mev_c: Real) -> Real:
    """Return beta gamma = p/mc, by which emittances are normalised."""
    return momentum_mev_c / ELECTRON_REST_ENERGY_MEV


def momentum_of_beta_gamma(beta_gamma: Real) -> Real:
    """Return the momentum in MeV/c."""
    return beta_gamma * ELECTRON_REST_ENERGY_MEV


def gamma(momentum_mev_c: Real) -> Real:
    """Return the Lorentz factor E/mc^2."""
    return total_energy_mev(momentum_mev_c) / ELECTRON_REST_ENERGY_MEV


def beta(momentum_mev_c: Real) -> Real:
    """Return the velocity in units of c, pc/E."""
    return momentum_mev_c / total_energy_mev(momentum_mev_c)


def rigidity_tm(momentum_mev_c: Real) -> Real:
    """Return the magnetic rigidity B rho = p/e."""
    return momentum_mev_c / MEV_C_PER_TM


def momentum_of_rigidity(rigidity_tm: Real) -> Real:
    """Return the momentum in MeV/c."""
    return rigidity_tm * MEV_C_PER_TM


def _check_at_least(values: Real, least: float, what: str) -> None:
    wrong = first(values, np.logical_not(values >= least))
    if wrong is not None:
        raise OutOfRangeError(f"{what} of {wrong:g} MeV: it is {least:g} MeV or more")
