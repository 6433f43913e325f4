"""Magnets: from current to integrated strength and to what the beam gets of it, and back.

    magnets = load_magnets(CLARA)
    quadrupole = magnets["CLA-S02-MAG-QUAD-01"]
    quadrupole.k(12.5, momentum_mev_c=35.5)  # K1 times length, in 1/m
    quadrupole.current_of_k(2.6, momentum_mev_c=35.5)  # in A

Numbers and arrays serve alike; what is given together is broadcast against one another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from pydantic import model_validator

from linacre.physics.constants import DEGREE
from linacre.physics.curves import Curve, Part, Positive, Solenoid
from linacre.physics.errors import NoCurveError, OutOfRangeError
from linacre.physics.excitation import Excitation
from linacre.physics.kinematics import rigidity_tm
from linacre.physics.numbers import FloatArray, Numbers, Real, as_array, as_given, first
from linacre.physics.quantities import STRENGTH, K, Kind, Unit, Units


class MagnetData(Part, coerce_numbers_to_str=True):
    """What a file of magnets says of one."""

    kind: Kind
    type: str = ""
    """Its design."""
    serial: str = ""
    momentum_mev_c: Positive | None = None
    """Of the beam that it is made for."""
    length_mm: Positive | None = None
    """Its magnetic length: the integrated strength over the strength in the middle."""
    rating_a: Positive | None = None
    """The current that it is made for."""
    curve: Curve | None = None

    @model_validator(mode="after")
    def _suits(self) -> Self:
        if isinstance(self.curve, Solenoid) and self.kind is not Kind.SOLENOID:
            raise ValueError(f"a {self.kind} has no Larmor angle; write a curve of another form")
        return self


@dataclass(frozen=True)
class Magnet:
    """One magnet, and what its current does.

    Its methods raise `NoCurveError` where its curve is not known.
    """

    name: str
    data: MagnetData

    @property
    def kind(self) -> Kind:
        """What it does to the beam."""
        return self.data.kind

    @property
    def limit_a(self) -> float:
        """The current up to which its strength rises, on either side of zero."""
        return self._excitation.limit_a

    def strength(self, current_a: Real, *, units: Units = Units.SI) -> Real:
        """Return the integrated strength: in T for a quadrupole, else in T m (machine: T mm).

        Raises `OutOfRangeError` for a current beyond the last at which the curve rises.
        """
        unit = STRENGTH[self.kind][units]
        return self._on_curve(current_a) * (self._curve_unit.in_si / unit.in_si)

    def current(self, strength: Real, *, units: Units = Units.SI) -> Real:
        """Return the current in A that gives an integrated strength.

        Raises `OutOfRangeError` for a strength that no current gives.
        """
        unit = STRENGTH[self.kind][units]
        found = self._current(as_array(strength), as_array(unit.in_si), unit.name)
        return as_given(found, strength)

    def k(self, current_a: Real, *, momentum_mev_c: Numbers, units: Units = Units.SI) -> Real:
        """Return what a beam gets, which CalcK tells in the machine's units.

        That is K1 times length in 1/m of a quadrupole; the angle of a dipole and the Larmor angle
        of a solenoid in rad (machine: degree), the kick of a corrector in rad (mrad). It is the
        strength over the rigidity, of a solenoid over twice the rigidity (H. Wiedemann, Particle
        Accelerator Physics, 4th ed., Springer 2015), or what the fit in its curve says.

        Raises `OutOfRangeError` as `strength` does, and for a momentum that is not above zero.
        """
        strength = self._on_curve(current_a) * self._curve_unit.in_si
        slope = self._larmor_slope(momentum_mev_c)
        found = strength / self._stiffness(momentum_mev_c) if slope is None else current_a * slope
        return cast("Real", found / K[self.kind][units].in_si)

    def current_of_k(self, k: Real, *, momentum_mev_c: Numbers, units: Units = Units.SI) -> Real:
        """Return the current in A with which a beam gets K: SETI for a SETK.

        Raises `OutOfRangeError` for what no current gives, and as `k` does for the momentum.
        """
        unit, wanted = K[self.kind][units], as_array(k)
        slope = self._larmor_slope(momentum_mev_c)
        if slope is not None:
            found = wanted * unit.in_si / slope
            self._on_curve(found)
        else:
            per_k = as_array(unit.in_si * self._stiffness(momentum_mev_c))
            found = self._current(wanted, per_k, unit.name)
        return as_given(found, k)

    @property
    def _excitation(self) -> Excitation:
        if self.data.curve is None:
            raise NoCurveError(f"the excitation curve of {self.name} is not known")
        return self.data.curve.excitation

    @property
    def _curve_unit(self) -> Unit:
        return STRENGTH[self.kind][Units.MACHINE]

    def _on_curve(self, current: Real) -> Real:
        """Return the strength in the curve's own unit."""
        excitation = self._excitation
        found = excitation.strength(current)
        if (wrong := first(current, np.isnan(found))) is not None:
            limit = excitation.limit_a
            raise OutOfRangeError(
                f"{self.name}: {wrong:.6g} A is beyond its excitation curve, which rises from "
                f"{-limit:.6g} A to {limit:.6g} A"
            )
        return found

    def _current(self, value: FloatArray, in_si: FloatArray, unit: str) -> FloatArray:
        """Return the currents for values in a unit that is so large in SI of strength."""
        excitation = self._excitation
        per_unit = in_si / self._curve_unit.in_si
        found = excitation.current(value * per_unit)
        lacks = np.isnan(found)
        if (wrong := first(value, lacks)) is not None:
            per_wrong = first(per_unit, lacks) or math.nan
            low, high = excitation.lowest / per_wrong, excitation.highest / per_wrong
            raise OutOfRangeError(
                f"{self.name}: no current gives {wrong:.6g} {unit}; its excitation curve reaches "
                f"from {low:.6g} {unit} to {high:.6g} {unit}"
            )
        return found

    def _stiffness(self, momentum_mev_c: Numbers) -> Numbers:
        """Return the strength in SI that gives the beam a K of 1, in SI."""
        self._check_momentum(momentum_mev_c)
        rigidity = rigidity_tm(momentum_mev_c)
        return 2 * rigidity if self.kind is Kind.SOLENOID else rigidity

    def _larmor_slope(self, momentum_mev_c: Numbers) -> Numbers | None:
        """Return the Larmor angle in rad for each A; None where no fit says it."""
        if not isinstance(self.data.curve, Solenoid):
            return None
        self._check_momentum(momentum_mev_c)
        slope = self.data.curve.larmor_slope(momentum_mev_c)
        if (wrong := first(momentum_mev_c, np.logical_not(slope > 0))) is not None:
            raise OutOfRangeError(
                f"{self.name}: {wrong:.6g} MeV/c is beyond the fit of its Larmor angle, which "
                "does not rise with the current there"
            )
        return slope * DEGREE

    def _check_momentum(self, momentum_mev_c: Numbers) -> None:
        if (wrong := first(momentum_mev_c, np.logical_not(momentum_mev_c > 0))) is not None:
            raise OutOfRangeError(
                f"{self.name}: a beam of {wrong:.6g} MeV/c; its momentum must be above zero"
            )
