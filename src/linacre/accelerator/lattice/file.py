"""The lattice file as models: the source of the beam, and sections with their elements."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, get_args

from pydantic import Field

from linacre.accelerator.lattice.elements import AnyElement
from linacre.accelerator.lattice.values import Aperture, At, Name
from linacre.documents.models import ModelFile
from linacre.physics.curves import Number, Part, Positive

MOST_ELEMENTS = 5_000
"""Of a lattice; the longest linacs have so many."""
_LARGEST = 4 << 20


class Plane(Part):
    """One transverse plane of the beam behind the gun."""

    normalised_emittance_m: Positive = Field(
        description="The normalised rms emittance, in m rad.", examples=[5e-07]
    )
    beta_m: Positive = Field(description="Of Courant and Snyder, in m.", examples=[2.5])
    alpha: Number = Field(default=0.0, description="Of Courant and Snyder.", examples=[-0.5])


class StartingBeam(Part):
    """The beam behind the gun."""

    horizontal: Plane = Field(description="Its horizontal [plane](#plane).", examples=[{}])
    vertical: Plane = Field(description="Its vertical [plane](#plane).", examples=[{}])
    length_m: Positive = Field(description="The rms length of the bunch.", examples=[0.0003])
    momentum_spread: Annotated[Number, Field(gt=0, le=0.5)] = Field(
        description="The rms spread of momenta, relative.", examples=[0.002]
    )


class Mirror(Part):
    """The mirror that steers the laser's spot over the cathode."""

    horizontal: Name = Field(
        description="Its horizontal motor, which its PVs begin with.",
        examples=["CLA-LAS-OPT-PICO-4C-PM-4:H"],
    )
    vertical: Name = Field(
        description="Its vertical motor.", examples=["CLA-LAS-OPT-PICO-4C-PM-4:V"]
    )
    mm_per_step: Number = Field(
        description="How far a step moves the spot on the cathode.", examples=[0.001]
    )


class Laser(Part):
    """The laser that makes the bunch on the cathode."""

    meter: Name = Field(
        description="The meter of its energy, which its PVs begin with.",
        examples=["CLA-LAS-DIA-EM-01"],
    )
    energy_uj: Positive = Field(
        description="The energy that the machine starts with.", examples=[40]
    )
    charge_pc_per_uj: Positive = Field(
        description="The charge that a microjoule brings out of the cathode.", examples=[2.5]
    )
    shutters: tuple[Name, ...] = Field(
        default=(),
        max_length=16,
        description="The shutters before the cathode: all must be open.",
        examples=[["CLA-PI-LSR-SHUT-01"]],
    )
    mirror: Mirror | None = Field(
        default=None,
        description="The [mirror](#mirror) that steers it.",
        examples=[{"horizontal": "PM-4:H", "vertical": "PM-4:V", "mm_per_step": 0.001}],
    )


class Way(StrEnum):
    """Where a beam goes at a dipole."""

    BENT = "bent"
    STRAIGHT = "straight"


class Branch(Part):
    """Where a beam line leaves another: the dipole's field decides which way the beam goes."""

    at: Name = Field(
        description="The dipole, which is written where the lines part: among the elements of the "
        "line that is left.",
        examples=["CLA-C2V-MAG-DIP-01"],
    )
    way: Way = Field(
        default=Way.BENT,
        description="`bent`: the section begins behind the arc, and the other line goes straight "
        "on; `straight`: the other way round.",
        examples=["bent"],
    )


class Section(Part):
    """A part of the beam line: behind the one that is written before it, or a branch."""

    branch: Branch | None = Field(
        default=None,
        description="The [branch](#branch) that it is, where it does not go on from the section "
        "before.",
        examples=[{"at": "CLA-C2V-MAG-DIP-01"}],
    )
    end_m: At = Field(
        description="Where it ends: z in m, or [x, z]. The next begins there.", examples=[6.7485]
    )
    aperture: Aperture = Field(
        description="The pipe: the opening of elements that say none of their own.",
        examples=[{"half_width_m": 0.017, "half_height_m": 0.017}],
    )
    elements: dict[Name, AnyElement] = Field(
        max_length=MOST_ELEMENTS,
        description="Its elements by name, in the order in which a beam comes to them.",
        examples=[{"CLA-S02-MAG-QUAD-01": {"type": "quadrupole", "middle_m": 3.5}}],
    )


class LatticeFile(Part):
    """A beam line with its branches, from the gun on."""

    lattice: Name = Field(description="Its name.", examples=["clara"])
    description: str = Field(
        default="", description="What it is, in a line.", examples=["CLARA from the gun to C2V"]
    )
    rate_hz: Annotated[Positive, Field(le=1e6)] = Field(
        default=10.0, description="How many pulses a second there are.", examples=[10]
    )
    magnets: str = Field(
        default="magnet-table",
        description="The file of magnets that has the excitation curves: `magnet-table` or "
        "`phase-1`, which Linacre has, or a path relative to this file.",
        examples=["magnet-table"],
    )
    laser: Laser = Field(description="The [laser](#laser).", examples=[{}])
    beam: StartingBeam = Field(
        description="The [beam](#starting-beam) behind the gun.", examples=[{}]
    )
    sections: dict[Name, Section] = Field(
        min_length=1,
        max_length=500,
        description="The [sections](#section) by name, in the order of the beam; the first begins "
        "with the gun, at the origin.",
        examples=[{"S01": {"end_m": 1.0577}}],
    )


def _tags() -> tuple[str, ...]:
    union = get_args(AnyElement)[0]
    words = (get_args(kind.model_fields["type"].annotation) for kind in get_args(union))
    return tuple(word for group in words for word in group)


TYPES = _tags()
"""What `type` of an element may be."""

LATTICE_FILE = ModelFile(
    model=LatticeFile,
    kind="a lattice file",
    usual="lattice.yaml",
    tag="type",
    tags=TYPES,
    tag_of="type of element",
    largest=_LARGEST,
)
