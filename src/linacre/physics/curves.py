"""Excitation curves as they are written in files: one model a form of curve.

Strengths are in T for quadrupoles and in T mm for all others, currents in A.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from linacre.documents.quoting import quoted
from linacre.physics.branches import Branch
from linacre.physics.excitation import Excitation
from linacre.physics.numbers import Real, polynomial


def _no_truth(given: Any) -> Any:
    if isinstance(given, bool):
        raise ValueError(f"{quoted(given)} is not a number")
    return given


Number = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]


class Part(BaseModel):
    """A mapping in a file of magnets: its keys are fixed, and it does not change once read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Curve(Part):
    @model_validator(mode="after")
    def _rises(self) -> Self:
        _ = self.excitation
        return self

    @cached_property
    def excitation(self) -> Excitation:
        """The strength as a function of the current."""
        raise NotImplementedError


class Linear(_Curve):
    """`slope * I`."""

    form: Literal["linear"]
    slope: Number

    @cached_property
    def excitation(self) -> Excitation:
        """The strength as a function of the current."""
        return Excitation(0.0, (Branch.rising((self.slope, 0.0), 0.0),))


class Saturating(_Curve):
    """`slope * I` below the knee, and the rest from it on, with the sign of I.

    The rest is `cubic * |I|^3 + quadratic * (|I| - centre)^2 + offset`: the formula of the CLARA
    Magnet Table, where the parameters are called m, I_max, f, a, I0 and d.
    """

    form: Literal["saturating"]
    slope: Number
    knee_a: Positive
    cubic: Number = 0.0
    quadratic: Number
    centre_a: Number
    offset: Number

    @cached_property
    def excitation(self) -> Excitation:
        """The strength as a function of the current."""
        square = (
            self.quadratic,
            -2 * self.quadratic * self.centre_a,
            self.quadratic * self.centre_a**2 + self.offset,
        )
        saturated = (self.cubic, *square) if self.cubic else square
        below = Branch.rising((self.slope, 0.0), 0.0, self.knee_a)
        above = Branch.rising(saturated, self.knee_a)
        if above.highest <= below.highest:
            raise ValueError(
                f"the curve never comes back to the {below.highest:g} that it has at its knee; "
                "correct its coefficients"
            )
        return Excitation(0.0, (below, above))


Coefficients = Annotated[tuple[Number, ...], Field(min_length=2)]


class Polynomial(_Curve):
    """A polynomial of |I|, the highest power first; all but the constant have the sign of I."""

    form: Literal["polynomial"]
    coefficients: Coefficients

    @cached_property
    def excitation(self) -> Excitation:
        """The strength as a function of the current."""
        return _of_polynomial(self.coefficients)


class Solenoid(_Curve):
    """The integrated field as a polynomial, and a fit of the Larmor angle to tracked beams.

    The angle in degrees is `I * (c0 + c1 p + c2 p^2 + ...)` with the momentum p in MeV/c behind
    the solenoid. It is not the field over twice the rigidity, where the beam gains its momentum
    within.
    """

    form: Literal["solenoid"]
    field: Coefficients
    larmor_deg: Annotated[tuple[Number, ...], Field(min_length=1)]
    """That of the lowest power first."""

    @cached_property
    def excitation(self) -> Excitation:
        """The integrated field as a function of the current."""
        return _of_polynomial(self.field)

    def larmor_slope(self, momentum_mev_c: Real) -> Real:
        """Return the Larmor angle in degrees for each A."""
        return polynomial(self.larmor_deg[::-1], momentum_mev_c)


Curve = Annotated[Linear | Saturating | Polynomial | Solenoid, Field(discriminator="form")]


def _of_polynomial(coefficients: tuple[float, ...]) -> Excitation:
    *odd, remanence = coefficients
    while len(odd) > 1 and odd[0] == 0:
        del odd[0]
    return Excitation(remanence, (Branch.rising((*odd, 0.0), 0.0),))
