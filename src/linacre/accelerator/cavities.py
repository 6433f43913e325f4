"""The map of an accelerating cavity: gain, damping, and what its field does to the beam's size.

Energies and gradients are over the rest energy: the Lorentz factor, and its change in a metre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linacre.accelerator.maps import DELTA, HORIZONTAL, VERTICAL, Map, Z
from linacre.physics.constants import ELECTRON_REST_ENERGY_MEV, SPEED_OF_LIGHT
from linacre.physics.errors import OutOfRangeError
from linacre.physics.kinematics import momentum_of_beta_gamma
from linacre.physics.numbers import FloatArray, Numbers, first

STANDING_WAVE, TRAVELLING_WAVE = 1.0, 0.0
"""The strength of the ponderomotive force of a pi mode, and of a wave that goes with the beam."""


@dataclass(frozen=True)
class Cavity:
    """A cavity, or a section of many cells, with a reference particle going through."""

    length_m: Numbers
    frequency_hz: float
    crest_gain_mev: Numbers
    """What a particle of the speed of light gains on the crest."""
    phase_rad: Numbers
    """Of the reference particle, from the crest; above 0 the head of a bunch gains more."""
    gamma: Numbers
    """Of the reference particle, at the entrance."""
    wave: float = STANDING_WAVE
    """`STANDING_WAVE`, `TRAVELLING_WAVE`, or for a mode between them eta of the paper below."""

    @property
    def gamma_after(self) -> FloatArray:
        """The Lorentz factor at the exit; raises `OutOfRangeError` where a beam stands."""
        found = np.asarray(self.gamma + self._crest_gain * np.cos(self.phase_rad))
        for where, gamma in (("goes into", self.gamma), ("comes out of", found)):
            if (wrong := first(gamma, np.logical_not(np.greater(gamma, 1)))) is not None:
                raise OutOfRangeError(
                    f"a beam {where} a cavity with a Lorentz factor of {wrong:.6g}; it must be "
                    "above 1"
                )
        return found

    @property
    def momentum_after_mev_c(self) -> FloatArray:
        """The momentum at the exit."""
        return momentum_of_beta_gamma(_beta_gamma(self.gamma_after))

    @property
    def _crest_gain(self) -> Numbers:
        return np.divide(self.crest_gain_mev, ELECTRON_REST_ENERGY_MEV)

    def map(self) -> Map:
        """Return the map from the entrance to the exit.

        In the transverse planes that of J. Rosenzweig and L. Serafini, Phys. Rev. E 49, 1599
        (1994): kicks at the ends, ponderomotive focusing between. It is written in momenta where
        the paper, for fast particles, has energies, so that it damps a beam by the ratio of the
        momenta at any energy. Along z a thin gap in the middle, and the delays of slower particles
        before and behind it. Terms with delta are left out.
        """
        after = self.gamma_after
        found = Map.blank(after, self.phase_rad)
        self._focus(found.matrix, after)
        self._bunch(found.matrix, after)
        return found

    def _focus(self, matrix: FloatArray, after: FloatArray) -> None:
        before, p, p_after = self.gamma, _beta_gamma(self.gamma), _beta_gamma(after)
        crest = self._crest_gain / self.length_m
        gain = (after - before) / self.length_m
        # The integral of 1/p along the cavity, also where nothing is gained.
        ratio = (1 + (after + before) / (p_after + p)) / (before + p)
        drift = self.length_m * ratio * _log_over(ratio * (after - before))
        phase = np.sqrt(self.wave / 8) * crest * drift
        cosine, sine = np.cos(phase), np.sinc(phase / np.pi)
        kick = gain * drift * sine / 2
        back = (gain**2 / 4 + self.wave * crest**2 / 8) * drift * sine
        for position, momentum in (HORIZONTAL, VERTICAL):
            matrix[..., position, position] = cosine - kick
            matrix[..., position, momentum] = p * drift * sine
            matrix[..., momentum, position] = -back / p_after
            matrix[..., momentum, momentum] = p / p_after * (cosine + kick)

    def _bunch(self, matrix: FloatArray, after: FloatArray) -> None:
        before, p, p_after = self.gamma, _beta_gamma(self.gamma), _beta_gamma(after)
        middle = (before + after) / 2
        # Of a particle, c times its delay and its deviation of energy: canonical at any speed.
        wave_number = 2 * np.pi * self.frequency_hz / SPEED_OF_LIGHT
        slope = -self._crest_gain * np.sin(self.phase_rad) * wave_number
        early, late = self._delay(before, middle), self._delay(middle, after)
        delay_of_delay = 1 - late * slope
        delay_of_energy = -early - late * (1 - slope * early)
        energy_of_energy = 1 - slope * early
        beta, beta_after = p / before, p_after / after
        matrix[..., Z, Z] = beta_after / beta * delay_of_delay
        matrix[..., Z, DELTA] = -beta_after * beta * p * delay_of_energy
        matrix[..., DELTA, Z] = -slope / (beta * beta_after * p_after)
        matrix[..., DELTA, DELTA] = beta * p / (beta_after * p_after) * energy_of_energy

    def _delay(self, before: Numbers, after: Numbers) -> Numbers:
        """Return c times the delay that half of the length takes off for a unit of energy."""
        p, p_after = _beta_gamma(before), _beta_gamma(after)
        return self.length_m / 2 * (before + after) / (p * p_after * (p_after * before + p * after))


def _beta_gamma(gamma: Numbers) -> FloatArray:
    return np.sqrt((np.asarray(gamma) - 1) * (np.asarray(gamma) + 1))


def _log_over(value: FloatArray) -> FloatArray:
    """Return log(1 + v) / v, also for no v."""
    small = np.abs(value) < 1e-8
    safe = np.where(small, 1.0, value)
    return np.where(small, 1 - value / 2, np.log1p(safe) / safe)
