"""Maps of bending magnets: the sector between its pole faces, and the faces."""

from __future__ import annotations

import numpy as np

from linacre.accelerator.maps import DELTA, PX, PY, Map, X, Y, Z, slipping
from linacre.physics.numbers import Numbers


def sector(length: Numbers, angle: Numbers, *, gamma: Numbers) -> Map:
    """Return the map of a uniform field between faces at right angles to the orbit.

    The length is that of the arc in m; an angle in rad above 0 bends towards -x. The matrix is that
    of K. L. Brown, SLAC-75 (1982); the terms with delta are those of the exact map in E. Forest,
    J. Phys. A 39, 5321 (2006).
    """
    found = slipping(length, angle, gamma=gamma)
    sine, cosine = np.sin(angle), np.cos(angle)
    curvature = np.divide(angle, length)
    # Those over the curvature, also where there is none.
    reach = length * np.sinc(np.divide(angle, np.pi))
    lift = length * np.sin(np.divide(angle, 2)) * np.sinc(np.divide(angle, 2 * np.pi))
    matrix, chromatic = found.matrix, found.chromatic
    matrix[..., X, X] = matrix[..., PX, PX] = cosine
    matrix[..., X, PX] = reach
    matrix[..., PX, X] = -curvature * sine
    matrix[..., X, DELTA] = lift
    matrix[..., PX, DELTA] = sine
    matrix[..., Z, X] = -sine
    matrix[..., Z, PX] = -lift
    matrix[..., Z, DELTA] += reach - length

    chromatic[..., X, X] = sine**2
    chromatic[..., X, PX] = -reach * cosine
    chromatic[..., X, DELTA] = -reach * sine / 2
    matrix[..., Y, PY] = length
    chromatic[..., Y, PY] = -reach
    return found


def face(
    angle: Numbers,
    *,
    curvature: Numbers,
    gap: Numbers = 0.0,
    fringe_integral: Numbers = 0.0,
) -> Map:
    """Return the map of a pole face, turned by an angle in rad from one at right angles.

    Above 0 a face focuses vertically. The curvature of the orbit inside is in 1/m, the full gap in
    m; the fringe field integral has no unit (K1 of K. L. Brown, SLAC-75 (1982), FINT of MAD).
    """
    found = Map.blank(angle, curvature, gap, fringe_integral)
    spread = curvature * gap * fringe_integral * (1 + np.sin(angle) ** 2) / np.cos(angle)
    found.matrix[..., PX, X] = curvature * np.tan(angle)
    found.matrix[..., PY, Y] = -curvature * np.tan(angle - spread)
    found.chromatic[..., PY, Y] = -curvature * spread / np.cos(angle - spread) ** 2
    return found


def dipole(
    length: Numbers,
    angle: Numbers,
    *,
    gamma: Numbers,
    entrance: Numbers = 0.0,
    exit: Numbers = 0.0,
    gap: Numbers = 0.0,
    fringe_integral: Numbers = 0.0,
) -> Map:
    """Return the map of a dipole: arc length in m, bending angle in rad, its faces as in `face`.

    A rectangular one has half of the bending angle at the entrance and at the exit.
    """
    curvature = np.divide(angle, length)
    first, last = (
        face(each, curvature=curvature, gap=gap, fringe_integral=fringe_integral)
        for each in (entrance, exit)
    )
    return first.then(sector(length, angle, gamma=gamma)).then(last)
