"""What an opening lets through of a Gaussian beam, and the moments of that.

The part of the beam in the opening is integrated over y (Gauss and Legendre), where the moments of
x between two edges are closed (N. L. Johnson, S. Kotz, N. Balakrishnan, Continuous Univariate
Distributions, 2nd ed., Wiley 1994, 13.10.1). Momenta, z and delta follow x and y by regression,
which is exact for a Gaussian beam; what comes out is taken as Gaussian with its moments.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from linacre.accelerator.beams import Beam
from linacre.accelerator.lattice.values import Aperture, Shape
from linacre.accelerator.maps import X, Y
from linacre.physics.numbers import FloatArray

REACH = 8.0
"""How many sigma a beam reaches: beyond is 1e-15 of it."""
_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_XY = np.array([X, Y])
_SMALLEST_M = 1e-12
"""A beam is taken as no smaller."""
_LEAST = 1e-13
"""A part that is taken as none: less than an electron of a microcoulomb."""


def through(beam: Beam, aperture: Aperture) -> tuple[float, Beam]:
    """Return which part of a beam goes through an opening, and its moments."""
    x, y = float(beam.centroid[X]), float(beam.centroid[Y])
    reach_x = REACH * math.sqrt(max(float(beam.sigma[X, X]), 0.0))
    reach_y = REACH * math.sqrt(max(float(beam.sigma[Y, Y]), 0.0))
    width, height = aperture.half_width_m, aperture.half_height_m
    if _within(abs(x) + reach_x, abs(y) + reach_y, aperture):
        return 1.0, beam
    if abs(x) - reach_x >= width or abs(y) - reach_y >= height:
        return 0.0, beam
    low, high = max(-height, y - reach_y), min(height, y + reach_y)
    places = (high + low) / 2 + (high - low) / 2 * _PLACES
    if aperture.shape is Shape.ELLIPTICAL:
        edges = width * np.sqrt(np.maximum(1 - (places / height) ** 2, 0.0))
    else:
        edges = np.full_like(places, width)
    part, mean, covariance = _moments(beam, places, (high - low) / 2 * _WEIGHTS, edges)
    if part < _LEAST:
        return 0.0, beam
    return min(part, 1.0), _follow(beam, mean, covariance)


def _within(x: float, y: float, aperture: Aperture) -> bool:
    if aperture.shape is Shape.RECTANGULAR:
        return x <= aperture.half_width_m and y <= aperture.half_height_m
    return (x / aperture.half_width_m) ** 2 + (y / aperture.half_height_m) ** 2 <= 1


def _moments(
    beam: Beam, places: FloatArray, weights: FloatArray, edges: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return the part of a beam between edges in x at places in y, its means and covariances."""
    center = beam.centroid[_XY]
    block = beam.sigma[np.ix_(_XY, _XY)]
    size_y = max(math.sqrt(block[1, 1]), _SMALLEST_M)
    slope = block[0, 1] / size_y**2
    size_x = max(math.sqrt(max(block[0, 0] - slope * block[0, 1], 0.0)), _SMALLEST_M)
    from_y = places - center[1]
    density = weights * _normal(from_y / size_y) / size_y
    middle = center[0] + slope * from_y
    low, high = (-edges - middle) / size_x, (edges - middle) / size_x
    at_low, at_high = _normal(low), _normal(high)
    whole = density * _between(low, high)
    part = float(whole.sum())
    if not part > 0:
        return 0.0, center, block
    shift = density * size_x * (at_low - at_high)
    square = size_x**2 * (whole + density * (low * at_low - high * at_high))
    # About the middle of x at each y, then about the centre.
    about_x = slope * from_y
    mean = np.array([(whole * about_x + shift).sum(), (whole * from_y).sum()]) / part
    raw_xx = (square + 2 * about_x * shift + whole * about_x**2).sum() / part
    raw_xy = ((whole * about_x + shift) * from_y).sum() / part
    raw_yy = (whole * from_y**2).sum() / part
    raw = np.array([[raw_xx, raw_xy], [raw_xy, raw_yy]])
    return part, center + mean, raw - np.outer(mean, mean)


def _follow(beam: Beam, mean: FloatArray, covariance: FloatArray) -> Beam:
    """Return the beam of which x and y have other moments, all else as it goes with them."""
    block = beam.sigma[np.ix_(_XY, _XY)]
    regression = np.linalg.solve(block, beam.sigma[_XY]).T
    sigma = beam.sigma - regression @ (block - covariance) @ regression.T
    centroid = beam.centroid + regression @ (mean - beam.centroid[_XY])
    return replace(beam, centroid=centroid, sigma=(sigma + sigma.T) / 2)


def _normal(value: FloatArray) -> FloatArray:
    return np.exp(-(value**2) / 2) / math.sqrt(2 * math.pi)


def _between(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the part of a normal distribution between values, as exactly in its tails."""
    # On the side of the mean where both are parts near 1 their difference would be noise.
    above = low > 0
    return _below(np.where(above, -low, high)) - _below(np.where(above, -high, low))


def _below(value: FloatArray) -> FloatArray:
    """Return the part of a normal distribution below each value."""
    tails = map(math.erfc, (-value / math.sqrt(2)).tolist())
    return np.fromiter(tails, float, value.size) / 2
