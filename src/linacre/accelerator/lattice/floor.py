"""Places on the floor, and the arcs and straight lines that a reference orbit is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from linacre.accelerator.lattice.values import Place

Ray = tuple[float, float]
"""How far along a direction something is, and how far beside it (above 0 to +x), in m."""


@dataclass(frozen=True)
class Pose:
    """A place on a reference orbit and its direction there."""

    x_m: float = 0.0
    z_m: float = 0.0
    heading_rad: float = 0.0
    """From +z towards -x, the way in which a dipole with an angle above 0 bends."""

    def ahead(self, length_m: float) -> Pose:
        """Return the pose behind a straight length."""
        sine, cosine = math.sin(self.heading_rad), math.cos(self.heading_rad)
        return Pose(self.x_m - length_m * sine, self.z_m + length_m * cosine, self.heading_rad)

    def bent(self, length_m: float, angle_rad: float) -> Pose:
        """Return the pose behind an arc."""
        half = angle_rad / 2
        chord = length_m * (math.sin(half) / half if half else 1.0)
        middle = Pose(self.x_m, self.z_m, self.heading_rad + half).ahead(chord)
        return Pose(middle.x_m, middle.z_m, self.heading_rad + angle_rad)

    def ray(self, place: Place) -> Ray:
        """Return how far ahead of here, and beside, a place is."""
        x, z = place[0] - self.x_m, place[1] - self.z_m
        sine, cosine = math.sin(self.heading_rad), math.cos(self.heading_rad)
        return z * cosine - x * sine, x * cosine + z * sine


def straight_through(length_m: float, angle_rad: float) -> float:
    """Return how far a dipole reaches along the axis of a beam that it does not bend."""
    return length_m * (math.sin(angle_rad) / angle_rad if angle_rad else 1.0)
