"""A beam as its first two moments, and what an element makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from linacre.accelerator.maps import DELTA, Map
from linacre.physics.numbers import FloatArray


@dataclass(frozen=True)
class Beam:
    """The mean of the particles, in the coordinates of `maps`, and their covariances."""

    centroid: FloatArray
    """Of shape (6,)."""
    sigma: FloatArray
    """Of shape (6, 6)."""
    momentum_mev_c: float
    """Of the reference particle."""

    def through(self, element: Map, *, momentum_mev_c: float | None = None) -> Beam:
        """Return the beam behind an element; the momentum is that behind a cavity.

        The element's map is taken about the centroid. Its terms with delta spread and move a beam
        of Gaussian particles by their fourth and second moments: cov(u_j delta, u_k delta) =
        S_jk S_66 + S_j6 S_k6 (L. Isserlis, Biometrika 12, 134 (1918)).
        """
        chromatic, spread = element.chromatic, self.sigma[:, DELTA]
        deviation = chromatic @ self.centroid
        local = element.matrix + self.centroid[DELTA] * chromatic
        centroid = local @ self.centroid + chromatic @ spread + element.kick
        local[:, DELTA] += deviation
        products = self.sigma * self.sigma[DELTA, DELTA] + spread[:, None] * spread
        return Beam(
            centroid,
            local @ self.sigma @ local.T + chromatic @ products @ chromatic.T,
            self.momentum_mev_c if momentum_mev_c is None else momentum_mev_c,
        )
