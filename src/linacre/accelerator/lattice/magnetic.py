"""The elements with a magnet's field: solenoids, quadrupoles, dipoles and correctors."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linacre.accelerator.lattice.element import Element
from linacre.accelerator.lattice.values import Length, Name
from linacre.physics.curves import Number


class _Powered(Element):
    magnet: Name | None = Field(
        default=None,
        description="The magnet, by its name in the file of magnets and of its PVs; without it, "
        "the element's name.",
        examples=["CLA-GUN-MAG-SOL-02"],
    )
    curves: str | None = Field(
        default=None,
        description="The file of magnets that has its excitation curve; without it, `magnets` of "
        "the lattice.",
        examples=["phase-1"],
    )


class Solenoid(_Powered):
    """A solenoid; in a cavity that it stands around, it acts on the momentum there."""

    type: Literal["solenoid"]
    length_m: Annotated[Length, Field(gt=0)] = Field(description="Its length.", examples=[0.5])
    around: Name | None = Field(
        default=None,
        description="The cavity that it stands around, which must hold all of it.",
        examples=["CLA-L01-LIN-CAV-01"],
    )
    current_a: Number = Field(
        default=0.0, description="The current that the machine starts with.", examples=[150]
    )


class _Focusing(_Powered):
    design_k: Number = Field(
        default=0.0,
        description="What the machine starts with, in its own units: K1 times length in 1/m of a "
        "quadrupole, the angle in degree of a dipole.",
        examples=[1.79],
    )


class Quadrupole(_Focusing):
    """A quadrupole; K1 above 0 focuses horizontally."""

    type: Literal["quadrupole"]
    length_m: Annotated[Length, Field(gt=0)] = Field(description="Its length.", examples=[0.12868])


class Dipole(_Focusing):
    """A dipole at which a beam line may branch: see `branch` of a section."""

    type: Literal["dipole"]
    length_m: Annotated[Length, Field(gt=0)] = Field(
        description="The length of its arc.", examples=[0.399216]
    )
    angle_rad: Annotated[Number, Field(ge=-3, le=3)] = Field(
        description="The angle by which it bends where it bends; above 0 towards -x.",
        examples=[0.785398],
    )
    entrance_rad: Annotated[Number, Field(ge=-1.5, le=1.5)] = Field(
        default=0.0,
        description="How far its entrance face is turned from a right angle; a rectangular "
        "magnet's, by half of its angle.",
        examples=[0.392699],
    )
    exit_rad: Annotated[Number, Field(ge=-1.5, le=1.5)] = Field(
        default=0.0, description="The same of its exit face.", examples=[0.392699]
    )
    half_gap_m: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.0, description="Half of the gap between its poles.", examples=[0.02]
    )
    fringe_integral: Annotated[Number, Field(ge=0, le=2)] = Field(
        default=0.0, description="Of its fringe fields: FINT of MAD.", examples=[0.5]
    )


class Corrector(Element):
    """A pair of correctors, or one, that kick in the middle of their length."""

    type: Literal["corrector"]
    horizontal: Name | None = Field(
        default=None,
        description="The magnet that kicks horizontally, which its PVs begin with.",
        examples=["CLA-S01-MAG-HCOR-01"],
    )
    vertical: Name | None = Field(
        default=None,
        description="The magnet that kicks vertically.",
        examples=["CLA-S01-MAG-VCOR-01"],
    )
    curves: str | None = Field(
        default=None,
        description="The file of magnets that has their excitation curves.",
        examples=["phase-1"],
    )

    @model_validator(mode="after")
    def _kicks(self) -> Self:
        if self.horizontal is None and self.vertical is None:
            raise ValueError("kicks nowhere; write horizontal or vertical, and its magnet")
        return self
