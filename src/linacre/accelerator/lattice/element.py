"""What every element of a lattice file has: where it stands, how long it is, its opening."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from linacre.accelerator.lattice.values import Aperture, At, Length, Place
from linacre.physics.curves import Part


class Element(Part):
    """What every element has: where it stands, and how large the way through it is."""

    start_m: At | None = Field(
        default=None,
        description="Where the beam comes in: z in m on the axis of the gun, or [x, z] in the "
        "plane of the floor. One of `start_m`, `middle_m` and `end_m` is needed; those that are "
        "written must fit each other and the length.",
        examples=[3.46281],
    )
    middle_m: At | None = Field(
        default=None, description="The middle of the way through it.", examples=[[-0.944, 6.982]]
    )
    end_m: At | None = Field(default=None, description="Where the beam goes out.", examples=[3.59])
    length_m: Length = Field(
        default=0.0,
        description="Its length along the beam; a dipole's is that of the arc.",
        examples=[0.12868],
    )
    aperture: Aperture | None = Field(
        default=None,
        description="The opening that the beam goes through; without it, its section's.",
        examples=[{"half_width_m": 0.01, "half_height_m": 0.01}],
    )

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if self.start_m is None and self.middle_m is None and self.end_m is None:
            raise ValueError("stands nowhere; write start_m, middle_m or end_m")
        return self

    def places(self) -> dict[str, tuple[Place, float]]:
        """Return the places that are written, by key, and how far into the element each is."""
        shares = {"start_m": 0.0, "middle_m": 0.5, "end_m": 1.0}
        given = {key: getattr(self, key) for key in shares}
        return {key: (given[key], shares[key]) for key in shares if given[key] is not None}
