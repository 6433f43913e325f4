"""What an element does to a particle: a matrix, its change with momentum, and a kick.

A particle is (x, px, y, py, z, delta): positions in m, transverse momenta over that of the
reference particle, z = -beta c times its delay in m (the head of a bunch is at z > 0), and the
relative deviation of its momentum. Behind a change of the reference momentum, px, py and delta are
over the new one. An element takes u to

    matrix u + delta * chromatic u + kick

where `chromatic` holds the second order terms of the transverse planes that have delta in them;
aberrations of higher order, and those of geometry, are left out.

Every parameter may be an array: then the maps are stacks of matrices, of its shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linacre.physics.numbers import FloatArray, Numbers

X, PX, Y, PY, Z, DELTA = range(6)
HORIZONTAL, VERTICAL = (X, PX), (Y, PY)
_UNIT = np.eye(6)


@dataclass(frozen=True)
class Map:
    """The map of an element: arrays of shape (..., 6, 6), and (..., 6) for the kick."""

    matrix: FloatArray
    chromatic: FloatArray
    kick: FloatArray

    @classmethod
    def blank(cls, *parameters: Numbers) -> Map:
        """Return a map that does nothing, of the shape that the parameters have together."""
        shapes = {np.shape(each) for each in parameters}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        matrix = np.empty((*shape, 6, 6))
        matrix[...] = _UNIT
        return cls(matrix, np.zeros((*shape, 6, 6)), np.zeros((*shape, 6)))

    def then(self, after: Map) -> Map:
        """Return the map of this element and the next, of which this leaves every delta alone."""
        kicked = after.chromatic @ self.kick[..., None]
        matrix = after.matrix @ self.matrix
        matrix[..., DELTA] += kicked[..., 0]
        return Map(
            matrix,
            after.chromatic @ self.matrix + after.matrix @ self.chromatic,
            (after.matrix @ self.kick[..., None])[..., 0] + after.kick,
        )


def drift(length: Numbers, *, gamma: Numbers) -> Map:
    """Return the map of a field-free length in m, at the Lorentz factor of the reference.

    The exact drift, x + L px / sqrt((1 + delta)^2 - px^2 - py^2), in the orders of a map.
    """
    found = slipping(length, gamma=gamma)
    for position, momentum in (HORIZONTAL, VERTICAL):
        found.matrix[..., position, momentum] = length
        found.chromatic[..., position, momentum] = np.negative(length)
    return found


def slipping(length: Numbers, *others: Numbers, gamma: Numbers) -> Map:
    """Return the start of a map, of the shape that all have together: only slower ones fall back.

    dz = L delta / gamma^2, from the velocity alone.
    """
    found = Map.blank(length, gamma, *others)
    found.matrix[..., Z, DELTA] = np.divide(length, np.square(gamma))
    return found


def quadrupole(length: Numbers, k1: Numbers, *, gamma: Numbers) -> Map:
    """Return the map of a quadrupole: length in m, k1 in 1/m^2, above 0 where it focuses x.

    The motion in a hard-edged field, x'' = -k1 x / (1 + delta); H. Wiedemann, Particle Accelerator
    Physics, 4th ed., Springer 2015, chapters on linear beam dynamics and on chromaticity.
    """
    found = slipping(length, k1, gamma=gamma)
    for (position, momentum), strength in ((HORIZONTAL, k1), (VERTICAL, np.negative(k1))):
        _focus(found, position, momentum, length, strength)
    return found


def _focus(found: Map, position: int, momentum: int, length: Numbers, strength: Numbers) -> None:
    """Write into a map what a constant focusing strength in 1/m^2 does in one plane."""
    phase_squared = np.multiply(strength, np.square(length))
    cosine, sine = cosine_and_sine(phase_squared)
    matrix, chromatic = found.matrix, found.chromatic
    matrix[..., position, position] = matrix[..., momentum, momentum] = cosine
    matrix[..., position, momentum] = length * sine
    matrix[..., momentum, position] = -np.multiply(strength, length) * sine
    chromatic[..., position, position] = chromatic[..., momentum, momentum] = (
        phase_squared * sine / 2
    )
    chromatic[..., position, momentum] = -np.multiply(length, cosine + sine) / 2
    chromatic[..., momentum, position] = np.multiply(strength, length) * (cosine - sine) / 2


def solenoid(length: Numbers, strength: Numbers, *, gamma: Numbers) -> Map:
    """Return the map of a solenoid with its hard edges: length in m, B over B rho in 1/m.

    The beam turns by half of strength times length, its Larmor angle, from x to -y where the
    strength is above 0; A. W. Chao et al. (eds), Handbook of Accelerator Physics and Engineering,
    2nd ed., World Scientific 2013, on linear transverse coupling.
    """
    found = slipping(length, strength, gamma=gamma)
    half = np.divide(strength, 2)
    angle = half * length
    cosine, sine = np.cos(angle), np.sin(angle)
    # sin(angle) / half, also where there is no field.
    reach = length * np.sinc(angle / np.pi)
    matrix, chromatic = found.matrix, found.chromatic
    twice_cosine, twice_sine = np.cos(2 * angle), np.sin(2 * angle)
    for (position, momentum), (other, other_momentum), sign in (
        (HORIZONTAL, VERTICAL, 1),
        (VERTICAL, HORIZONTAL, -1),
    ):
        matrix[..., position, position] = matrix[..., momentum, momentum] = cosine**2
        matrix[..., position, momentum] = reach * cosine
        matrix[..., momentum, position] = -half * sine * cosine
        matrix[..., position, other] = sign * sine * cosine
        matrix[..., momentum, other_momentum] = sign * sine * cosine
        matrix[..., position, other_momentum] = sign * reach * sine
        matrix[..., momentum, other] = -sign * half * sine**2

        chromatic[..., position, position] = angle * twice_sine
        chromatic[..., momentum, momentum] = angle * twice_sine
        chromatic[..., position, momentum] = -length * twice_cosine
        chromatic[..., momentum, position] = half * angle * twice_cosine
        chromatic[..., position, other] = -sign * angle * twice_cosine
        chromatic[..., momentum, other_momentum] = -sign * angle * twice_cosine
        chromatic[..., position, other_momentum] = -sign * length * twice_sine
        chromatic[..., momentum, other] = sign * half * angle * twice_sine
    return found


def corrector(length: Numbers, *, horizontal: Numbers, vertical: Numbers, gamma: Numbers) -> Map:
    """Return the map of a pair of correctors, with kicks in rad in the middle of a length in m."""
    half = drift(np.divide(length, 2), gamma=gamma)
    kick = Map.blank(length, horizontal, vertical, gamma)
    kick.kick[..., PX] = horizontal
    kick.kick[..., PY] = vertical
    found = half.then(kick).then(half)
    # Who goes more the way of the kick has the longer way behind it.
    for momentum in (PX, PY):
        found.matrix[..., Z, momentum] = -np.divide(length, 2) * kick.kick[..., momentum]
    return found


def cosine_and_sine(phase_squared: Numbers) -> tuple[FloatArray, FloatArray]:
    """Return cos(p) and sin(p)/p for p^2 of either sign: hyperbolic ones below 0."""
    phase = np.sqrt(np.abs(phase_squared))
    rises = np.less(phase_squared, 0)
    safe = np.where(phase < _SMALL, 1.0, phase)
    cosine = np.where(rises, np.cosh(phase), np.cos(phase))
    sine = np.where(rises, np.sinh(safe), np.sin(safe)) / safe
    return cosine, np.where(phase < _SMALL, 1 - np.divide(phase_squared, 6), sine)


_SMALL = 1e-4
"""Below, sin(p)/p is 1 - p^2/6 to the last digit."""
