"""Clouds of particles, drawn where a screen has to show more than two moments of a beam."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.maps import DELTA, Map, X, Y
from linacre.physics.numbers import FloatArray


@dataclass(frozen=True)
class Opening:
    """A hole that the beam goes through, about the reference orbit; half of its sizes in m."""

    half_x_m: float
    half_y_m: float
    elliptical: bool = False

    def lets_through(self, x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
        """Tell of each particle whether it goes through."""
        across, up = x / self.half_x_m, y / self.half_y_m
        if self.elliptical:
            return across**2 + up**2 <= 1
        return (np.abs(across) <= 1) & (np.abs(up) <= 1)


@dataclass(frozen=True)
class Cloud:
    """Particles of equal charge."""

    particles: FloatArray
    """A row for each of the coordinates that were drawn, a column for each particle."""
    charge_each_c: float
    coordinates: tuple[int, ...]
    """Which were drawn, of those of `maps`; x and y are among them."""

    @property
    def x(self) -> FloatArray:
        """Where the particles are, in m."""
        return self.particles[self.coordinates.index(X)]

    @property
    def y(self) -> FloatArray:
        """Where the particles are, in m."""
        return self.particles[self.coordinates.index(Y)]

    @property
    def charge_c(self) -> float:
        """The charge of all of them together."""
        return self.charge_each_c * self.particles.shape[1]

    def clipped(self, openings: Iterable[Opening]) -> Cloud:
        """Return those that go through every one of some openings at this place."""
        particles = self.particles
        through = [opening.lets_through(self.x, self.y) for opening in openings]
        if through:
            particles = particles[:, np.logical_and.reduce(through)]
        return replace(self, particles=particles)

    def through(self, element: Map) -> Cloud:
        """Return the cloud behind an element; it must have been drawn in all six coordinates."""
        u = self.particles
        found = element.matrix @ u + u[DELTA] * (element.chromatic @ u) + element.kick[:, None]
        return replace(self, particles=found)


ALL = range(6)
TRANSVERSE = (X, Y)


def draw_cloud(
    arrival: Arrival, count: int, draws: Generator, *, coordinates: Sequence[int] = ALL
) -> Cloud:
    """Draw Gaussian particles with the centroid and the covariances of a beam.

    Of a beam in six coordinates any choice has the centroid and covariances of its own, so that
    what is only looked at across needs no more than `TRANSVERSE` of them.
    """
    chosen = list(coordinates)
    sigma = arrival.beam.sigma[np.ix_(chosen, chosen)]
    white = draws.standard_normal((len(chosen), count))
    particles = _root(sigma) @ white
    particles += arrival.beam.centroid[chosen, None]
    return Cloud(particles, arrival.charge_c / count, tuple(chosen))


def _root(sigma: FloatArray) -> FloatArray:
    """Return a matrix whose product with its transpose is sigma, also where a size is 0."""
    size = np.sqrt(np.maximum(np.diag(sigma), 0.0))
    unit = np.where(size > 0, size, 1.0)
    # Of the correlations: their scales are alike, those of m and of momenta are not.
    values, vectors = np.linalg.eigh(sigma / np.outer(unit, unit))
    return size[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
