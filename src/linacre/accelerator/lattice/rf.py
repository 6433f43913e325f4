"""Guns and cavities, and the momentum that each gives as a table that was measured."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from linacre.accelerator.lattice.element import Element
from linacre.accelerator.lattice.values import Length, Name
from linacre.physics.curves import Number, Part, Positive


class Wave(StrEnum):
    """How the field of a cavity goes with the beam."""

    TRAVELLING = "travelling"
    STANDING = "standing"


_Column = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=10_000)]


class Momenta(Part):
    """Momenta on the crest against powers, measured."""

    power_mw: _Column = Field(description="Powers in MW, each above the one before.")
    momentum_mev_c: _Column = Field(description="The total momentum in MeV/c at each of them.")
    injected_mev_c: Annotated[Number, Field(ge=0)] = Field(
        default=0.0, description="How much of it the beam had before; of a gun, 0.", examples=[4.45]
    )
    off_below_mw: Annotated[Number, Field(ge=0)] = Field(
        default=1.0, description="With less power there is no field.", examples=[1]
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.power_mw) != len(self.momentum_mev_c):
            raise ValueError(
                f"{len(self.power_mw)} powers and {len(self.momentum_mev_c)} momenta; write as "
                "many of the ones as of the others"
            )
        for what, column in (("power", self.power_mw), ("momentum", self.momentum_mev_c)):
            if (np.diff(column) <= 0).any():
                raise ValueError(f"a {what} that is not above the one before; put them in order")
        if self.injected_mev_c >= self.momentum_mev_c[0]:
            raise ValueError("nothing is gained at the lowest power; correct injected_mev_c")
        return self

    def gain_mev_c(self, power_mw: float) -> float:
        """Return the momentum that a beam gains on the crest.

        Straight lines between what was measured; outside, the field and with it the gain go with
        the square root of the power.
        """
        if power_mw < self.off_below_mw or power_mw <= 0:
            return 0.0
        low, high = self.power_mw[0], self.power_mw[-1]
        within = min(max(power_mw, low), high)
        total = float(np.interp(within, self.power_mw, self.momentum_mev_c))
        return (total - self.injected_mev_c) * float(np.sqrt(power_mw / within))


class _Driven(Element):
    length_m: Annotated[Length, Field(gt=0)] = Field(description="Its length.", examples=[0.17])
    rf: Name = Field(
        description="The station that drives it, which its PVs begin with.",
        examples=["CLA-GUNS-RF-CTRL-01"],
    )
    crest_deg: Number = Field(
        description="The phase at which the beam gains most, in degree.", examples=[145.789]
    )
    momenta: Momenta = Field(
        description="The momentum that was measured behind it.",
        examples=[{"power_mw": [5.0, 7.16], "momentum_mev_c": [3.78, 4.39]}],
    )
    power_mw: Positive = Field(
        description="The power that the machine starts with.", examples=[7.16]
    )
    phase_deg: Number = Field(
        default=0.0, description="From the crest, that the machine starts with.", examples=[-16]
    )


class Gun(_Driven):
    """An RF gun: the beam begins at its end."""

    type: Literal["gun"]


class Cavity(_Driven):
    """An accelerating section."""

    type: Literal["cavity"]
    frequency_hz: Positive = Field(description="Its frequency.", examples=[2998500000])
    wave: Wave = Field(
        default=Wave.TRAVELLING, description="`travelling` or `standing`.", examples=["travelling"]
    )
