"""Twiss parameters of a beam, from its sigma matrix and to one.

The parameters are those of the betatron motion: what momentum adds to a size by dispersion is told
apart (H. Wiedemann, Particle Accelerator Physics, 4th ed., Springer 2015, on beam dynamics and
phase space).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linacre.accelerator.maps import DELTA, HORIZONTAL, VERTICAL, Z
from linacre.physics.numbers import FloatArray


@dataclass(frozen=True)
class Twiss:
    """One transverse plane of a beam."""

    emittance_m: float
    """The geometric rms emittance in m rad; times beta gamma it is the normalised one."""
    beta_m: float
    alpha: float
    dispersion_m: float = 0.0
    dispersion_slope: float = 0.0

    @property
    def gamma_per_m(self) -> float:
        """The third parameter, (1 + alpha^2) / beta in 1/m."""
        return (1 + self.alpha**2) / self.beta_m


def twiss_of(sigma: FloatArray, plane: tuple[int, int]) -> Twiss:
    """Return the parameters of a plane, `HORIZONTAL` or `VERTICAL` of `maps`.

    Those of a plane without emittance are not defined: beta and alpha are NaN.
    """
    block = sigma[np.ix_(plane, plane)]
    variance = sigma[DELTA, DELTA]
    dispersion = sigma[plane, DELTA] / variance if variance > 0 else np.zeros(2)
    betatron = block - variance * np.outer(dispersion, dispersion)
    emittance = float(np.sqrt(max(np.linalg.det(betatron), 0.0)))
    beta, alpha = (
        (betatron[0, 0] / emittance, -betatron[0, 1] / emittance)
        if emittance > 0
        else (np.nan, np.nan)
    )
    return Twiss(emittance, float(beta), float(alpha), *map(float, dispersion))


def sigma_of(
    horizontal: Twiss, vertical: Twiss, *, length_m: float, momentum_spread: float
) -> FloatArray:
    """Return the sigma matrix of an upright bunch, with its rms length and relative spread."""
    sigma = np.zeros((6, 6))
    for plane, twiss in ((HORIZONTAL, horizontal), (VERTICAL, vertical)):
        sigma[np.ix_(plane, plane)] = twiss.emittance_m * np.array(
            [[twiss.beta_m, -twiss.alpha], [-twiss.alpha, twiss.gamma_per_m]]
        )
    sigma[Z, Z] = length_m**2
    dispersed = np.zeros(6)
    dispersed[[*HORIZONTAL]] = horizontal.dispersion_m, horizontal.dispersion_slope
    dispersed[[*VERTICAL]] = vertical.dispersion_m, vertical.dispersion_slope
    dispersed[DELTA] = 1.0
    return sigma + momentum_spread**2 * np.outer(dispersed, dispersed)
