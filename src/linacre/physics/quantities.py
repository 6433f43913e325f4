"""What is said of magnets, in SI units and in the machine's own, those of its PVs and tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from linacre.physics.constants import DEGREE, MRAD, T_MM


class Units(StrEnum):
    """Which units a number is in."""

    SI = "SI"
    MACHINE = "machine"


class Kind(StrEnum):
    """What a magnet does to the beam."""

    QUADRUPOLE = "quadrupole"
    DIPOLE = "dipole"
    HORIZONTAL_CORRECTOR = "horizontal corrector"
    VERTICAL_CORRECTOR = "vertical corrector"
    SOLENOID = "solenoid"


@dataclass(frozen=True)
class Unit:
    """A unit of a quantity."""

    name: str
    in_si: float = 1.0
    """How large it is, in the SI unit of that quantity."""


_GRADIENT = {Units.SI: Unit("T"), Units.MACHINE: Unit("T")}
_FIELD = {Units.SI: Unit("T m"), Units.MACHINE: Unit("T mm", T_MM)}
_FOCUSING = {Units.SI: Unit("1/m"), Units.MACHINE: Unit("1/m")}
_KICK = {Units.SI: Unit("rad"), Units.MACHINE: Unit("mrad", MRAD)}
_ANGLE = {Units.SI: Unit("rad"), Units.MACHINE: Unit("degree", DEGREE)}

STRENGTH = {
    Kind.QUADRUPOLE: _GRADIENT,
    Kind.DIPOLE: _FIELD,
    Kind.HORIZONTAL_CORRECTOR: _FIELD,
    Kind.VERTICAL_CORRECTOR: _FIELD,
    Kind.SOLENOID: _FIELD,
}
"""The integrated strength: a quadrupole's gradient, the field of all others, times length."""

K = {
    Kind.QUADRUPOLE: _FOCUSING,
    Kind.DIPOLE: _ANGLE,
    Kind.HORIZONTAL_CORRECTOR: _KICK,
    Kind.VERTICAL_CORRECTOR: _KICK,
    Kind.SOLENOID: _ANGLE,
}
"""What the beam gets of it: K1 times length, the angle of a dipole, a kick, the Larmor angle."""
