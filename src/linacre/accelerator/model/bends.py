"""The map of a dipole whose field is not the one that it was made for.

A beam then leaves it beside the reference orbit, through another place of the exit face and at
another angle: the map is that about the beam's own way, and its kick where that way comes out. It
is symplectic whatever the field. The tilt of the beam against the orbit is taken as small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from linacre.accelerator.dipoles import face, sector
from linacre.accelerator.lattice.elements import Dipole
from linacre.accelerator.lattice.floor import Pose, straight_through
from linacre.accelerator.maps import PX, Map, X, drift

_STEEPEST_RAD = 1.4
"""A beam that meets the exit face at more grazes along it, and does not come out."""


@dataclass(frozen=True)
class _Exit:
    """Where a beam that came in along the axis leaves a dipole which bends it towards -x."""

    pose: Pose
    angle_rad: float
    """By which it was bent."""
    length_m: float
    """Of its arc."""


def bend(dipole: Dipole, angle_rad: float, *, bent: bool, gamma: float) -> Map | None:
    """Return the map of a dipole that would bend the beam by an angle along its whole arc.

    It ends behind the arc, or where the dipole ends along the axis if the beam is not to be `bent`.
    None where the beam turns about in the field.
    """
    # The other way round all is mirrored.
    side = math.copysign(1.0, dipole.angle_rad)
    found = _way_out(dipole, side * angle_rad / dipole.length_m, side)
    if found is None:
        return None
    design = abs(dipole.angle_rad)
    if bent:
        frame = Pose().bent(dipole.length_m, design)
    else:
        frame = Pose().ahead(straight_through(dipole.length_m, design))
    tilt = found.angle_rad - frame.heading_rad
    ahead, beside = frame.ray((found.pose.x_m, found.pose.z_m))
    back = -ahead / math.cos(tilt)

    curvature = angle_rad / dipole.length_m
    fringe = {"gap": 2 * dipole.half_gap_m, "fringe_integral": dipole.fringe_integral}
    crossing = dipole.exit_rad + side * (found.angle_rad - design)
    body = sector(found.length_m, side * found.angle_rad, gamma=gamma)
    way = face(dipole.entrance_rad, curvature=curvature, **fringe).then(body)
    way = way.then(face(crossing, curvature=curvature, **fringe)).then(drift(back, gamma=gamma))
    way.kick[X] += side * (beside + ahead * math.tan(tilt))
    way.kick[PX] -= side * math.sin(tilt)
    return way


def _way_out(dipole: Dipole, curvature: float, side: float) -> _Exit | None:
    design = abs(dipole.angle_rad)
    corner = Pose().bent(dipole.length_m, design)
    along = design - side * dipole.exit_rad
    face_x, face_z = math.cos(along), math.sin(along)
    # On the face, corner + t face; on the beam's circle, curvature (x^2 + z^2) + 2 x = 0.
    half_linear = curvature * (corner.x_m * face_x + corner.z_m * face_z) + face_x
    constant = curvature * (corner.x_m**2 + corner.z_m**2) + 2 * corner.x_m
    square = half_linear**2 - curvature * constant
    if half_linear <= 0 or square <= 0:
        return None
    t = -constant / (half_linear + math.sqrt(square))
    x, z = corner.x_m + t * face_x, corner.z_m + t * face_z
    angle = math.atan2(curvature * z, 1 + curvature * x)
    if z <= 0 or abs(side * dipole.exit_rad + angle - design) > _STEEPEST_RAD:
        return None
    chord = math.hypot(x, z)
    length = chord / float(_sinc(angle / 2))
    return _Exit(Pose(x, z, angle), angle, length)


def _sinc(angle: float) -> float:
    return math.sin(angle) / angle if angle else 1.0
