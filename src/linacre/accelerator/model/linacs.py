"""An accelerating section with solenoids around it, as a product of thin slices of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from linacre.accelerator.cavities import STANDING_WAVE, TRAVELLING_WAVE
from linacre.accelerator.cavities import Cavity as CavityMap
from linacre.accelerator.lattice.elements import Cavity
from linacre.accelerator.lattice.rf import Wave
from linacre.accelerator.maps import Map, drift, solenoid
from linacre.physics.kinematics import (
    beta,
    gamma,
    momentum_of_beta_gamma,
    rigidity_tm,
    total_energy_mev,
)
from linacre.physics.numbers import FloatArray

LEAST_MOMENTUM_MEV_C = 0.5
"""A slower beam is lost: the formulas are of fast particles."""
_SLICE_M = 0.05
_CROSSING = 1e-6
_LEAST_M = 1e-9
_WAVES = {Wave.STANDING: STANDING_WAVE, Wave.TRAVELLING: TRAVELLING_WAVE}


@dataclass(frozen=True)
class Coil:
    """A solenoid around a section: where it is in it, and its integrated field."""

    start_m: float
    end_m: float
    field_tm: float


@dataclass(frozen=True)
class Accelerated:
    """What a section does to a beam."""

    body: Map
    momentum_mev_c: float
    """Behind it."""
    at_coils: tuple[tuple[Map, float], ...]
    """The map to the end of each coil, and the momentum there."""


def behind_linac(
    cavity: Cavity,
    coils: Sequence[Coil],
    *,
    momentum_mev_c: float,
    power_mw: float,
    phase_deg: float,
) -> Accelerated | None:
    """Return what a section does to a beam; None where it is stopped.

    The momentum behind it is that of the measured table, off crest the gain times the cosine of
    the phase. Between the ends the energy rises evenly. Terms with delta are left out.
    """
    phase = math.radians(phase_deg - cavity.crest_deg)
    crest = cavity.momenta.gain_mev_c(power_mw)
    after = momentum_mev_c + crest * math.cos(phase)
    if not after > LEAST_MOMENTUM_MEV_C:
        return None
    gained = total_energy_mev(after) - total_energy_mev(momentum_mev_c)
    # On the zero crossing nothing is gained, and the slope of the field counts.
    crossing = abs(math.cos(phase)) < _CROSSING
    crest_mev = crest * beta(momentum_mev_c) if crossing else gained / math.cos(phase)
    edges = _edges(cavity.length_m, tuple((coil.start_m, coil.end_m) for coil in coils))
    middles = (edges[1:] + edges[:-1]) / 2
    places = np.sort(np.concatenate([edges, middles]))
    ends = gamma(np.array([momentum_mev_c, after]))
    gammas = np.interp(places, [0.0, cavity.length_m], ends)
    halves = np.diff(places)
    matrices = CavityMap(
        length_m=halves,
        frequency_hz=cavity.frequency_hz,
        crest_gain_mev=crest_mev * halves / cavity.length_m,
        phase_rad=phase,
        gamma=gammas[:-1],
        wave=_WAVES[cavity.wave],
    ).map()
    lenses = _lenses(np.diff(edges), _fields(middles, coils), gammas[1::2])
    slices = matrices.matrix[1::2] @ lenses @ matrices.matrix[::2]
    so_far = [*accumulate(slices, lambda done, each: each @ done)]
    momenta = momentum_of_beta_gamma(np.sqrt(gammas[2::2] ** 2 - 1))
    inside = np.searchsorted(edges, [coil.end_m - _LEAST_M for coil in coils]) - 1
    return Accelerated(
        _linear(so_far[-1]),
        after,
        tuple((_linear(so_far[place]), float(momenta[place])) for place in inside),
    )


def _linear(matrix: FloatArray) -> Map:
    return Map(matrix, np.zeros((6, 6)), np.zeros(6))


@lru_cache(maxsize=256)
def _edges(length_m: float, coils: tuple[tuple[float, float], ...]) -> FloatArray:
    """Return the edges of slices: those of the coils, and evenly between them."""
    ends = {0.0, length_m, *(end for coil in coils for end in coil)}
    borders = sorted(min(max(end, 0.0), length_m) for end in ends)
    found = [0.0]
    for low, high in pairwise(borders):
        if (count := math.ceil((high - low) / _SLICE_M - _LEAST_M)) > 0:
            found += [*np.linspace(low, high, count + 1)[1:]]
    return np.array(found)


def _fields(places: FloatArray, coils: Sequence[Coil]) -> FloatArray:
    """Return the field in T at places along a section."""
    found = np.zeros_like(places)
    for coil in coils:
        inside = (places > coil.start_m) & (places < coil.end_m)
        found[inside] += coil.field_tm / (coil.end_m - coil.start_m)
    return found


def _lenses(lengths: FloatArray, fields_t: FloatArray, gammas: FloatArray) -> FloatArray:
    """Return what a field adds to slices: its own map, of which the length is taken away."""
    rigidity = rigidity_tm(momentum_of_beta_gamma(np.sqrt(gammas**2 - 1)))
    back = drift(-lengths / 2, gamma=gammas).matrix
    return back @ solenoid(lengths, fields_t / rigidity, gamma=gammas).matrix @ back
