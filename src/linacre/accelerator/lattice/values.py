"""What the keys of a lattice file may hold: places, names of PVs, apertures."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from linacre.documents.quoting import quoted
from linacre.physics.curves import Number, Part, Positive

FARTHEST_M = 10_000.0
"""Nothing stands farther from the origin, in any direction."""
LONGEST_M = 100.0
_NAME = r"[A-Za-z0-9][A-Za-z0-9_:.+-]{0,59}"

Place = tuple[float, float]
"""x and z in m, in the plane of the floor."""


def _place(given: Any) -> Place:
    several = isinstance(given, list | tuple)
    entries: list[Any] = [*cast("list[Any]", given)] if several else [0.0, given]
    if len(entries) != 2:
        raise ValueError(f"{len(entries)} numbers are no place; write z in m, or [x, z]")
    x, z = (_coordinate(each) for each in entries)
    return x, z


def _coordinate(given: Any) -> float:
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not abs(value) <= FARTHEST_M:
        raise ValueError(
            f"{quoted(given)} is no place; write z in m, or [x, z], to {FARTHEST_M:g} m"
        )
    return value


def _pv(given: str) -> str:
    if not re.fullmatch(_NAME, given):
        raise ValueError(
            f"{quoted(given)} is no name; write letters, digits and '-', such as "
            "CLA-S02-DIA-BPM-01, at most 60"
        )
    return given


_PLACE_SCHEMA = {
    "anyOf": [
        {"type": "number"},
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    ]
}
At = Annotated[Any, BeforeValidator(_place), WithJsonSchema(_PLACE_SCHEMA)]
"""A `Place`; written as z alone, it stands on the axis of the gun."""
Name = Annotated[str, AfterValidator(_pv), WithJsonSchema({"type": "string", "pattern": _NAME})]
"""The name of an element or a device, which its PVs begin with."""
Length = Annotated[Number, Field(ge=0, le=LONGEST_M)]
Code = Annotated[int, Field(ge=0, le=15)]
"""The number of a state, as an enumeration in EPICS has sixteen."""


class Shape(StrEnum):
    """The shape of an opening."""

    RECTANGULAR = "rectangular"
    ELLIPTICAL = "elliptical"


class Aperture(Part):
    """The opening that a beam goes through, about the axis."""

    shape: Shape = Field(
        default=Shape.ELLIPTICAL,
        description="`elliptical` or `rectangular`.",
        examples=["elliptical"],
    )
    half_width_m: Annotated[Positive, Field(le=1)] = Field(
        description="Half of its width, in m.", examples=[0.017]
    )
    half_height_m: Annotated[Positive, Field(le=1)] = Field(
        description="Half of its height, in m.", examples=[0.017]
    )
