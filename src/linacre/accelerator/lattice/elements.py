"""The kinds of element in a lattice file: one model each, told apart by `type`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linacre.accelerator.lattice.element import Element
from linacre.accelerator.lattice.magnetic import Corrector, Dipole, Quadrupole, Solenoid
from linacre.accelerator.lattice.rf import Cavity, Gun
from linacre.accelerator.lattice.values import Aperture, Code, Name
from linacre.physics.curves import Part

__all__ = [
    "AnyElement",
    "Axis",
    "Bpm",
    "Cavity",
    "ChargeMonitor",
    "Corrector",
    "Dipole",
    "Element",
    "FaradayCup",
    "Gun",
    "Marker",
    "Opening",
    "Quadrupole",
    "Screen",
    "Solenoid",
    "Valve",
]


class _Monitor(Element):
    pv: Name | None = Field(
        default=None,
        description="What its PVs begin with; without it, the element's name.",
        examples=["EBT-B03-IOC-CS-04:FMC1:CH0:WCM"],
    )


class Bpm(_Monitor):
    """A beam position monitor; it sees the beam in its middle."""

    type: Literal["bpm"]


class ChargeMonitor(_Monitor):
    """A monitor of the charge: a wall current monitor or a current transformer."""

    type: Literal["wcm", "ict"]


class FaradayCup(_Monitor):
    """A Faraday cup, in which the beam ends."""

    type: Literal["faraday_cup"]


class Axis(Part):
    """One axis along which a screen moves its devices into the beam."""

    pv: Name = Field(
        description="What the PVs of its motion begin with.", examples=["CLA-S01-DIA-SCR-01:V"]
    )
    devices: dict[str, Code] = Field(
        min_length=1,
        max_length=16,
        description="Its devices, and the number of each in GET_DEV.",
        examples=[{"RETRACTED": 1, "YAG": 4}],
    )
    out: tuple[str, ...] = Field(
        min_length=1,
        description="The devices that let the beam pass; the first is where it starts.",
        examples=[["RETRACTED", "RF"]],
    )
    shines: tuple[str, ...] = Field(
        default=(),
        description="The devices on which the beam makes an image.",
        examples=[["YAG"]],
    )

    @model_validator(mode="after")
    def _knows_its_devices(self) -> Self:
        for name in (*self.out, *self.shines):
            if name not in self.devices:
                raise ValueError(f"{name} is none of its devices; write one of them")
        if len({*self.devices.values()}) != len(self.devices):
            raise ValueError("two devices have one number; give each its own")
        return self


class Screen(Element):
    """A screen: what is not `out` on one of its axes stops the beam."""

    type: Literal["screen"]
    axes: tuple[Axis, ...] = Field(
        min_length=1,
        max_length=4,
        description="The axes along which it moves.",
        examples=[[{"pv": "X:V", "devices": {"OUT": 1, "YAG": 4}, "out": ["OUT"]}]],
    )
    camera: Name | None = Field(
        default=None, description="The camera that looks at it.", examples=["CLA-S01-DIA-CAM-01"]
    )


class Valve(_Monitor):
    """A valve in the beam pipe: it stops the beam where it is not open."""

    type: Literal["valve"]


class Opening(Element):
    """An aperture or a collimator: nothing but the way through."""

    type: Literal["aperture", "collimator"]
    aperture: Aperture = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        description="The opening that the beam goes through.",
        examples=[{"half_width_m": 0.01, "half_height_m": 0.01}],
    )


class Marker(Element):
    """A place that has a name."""

    type: Literal["marker"]


AnyElement = Annotated[
    Gun
    | Cavity
    | Solenoid
    | Quadrupole
    | Dipole
    | Corrector
    | Bpm
    | ChargeMonitor
    | FaradayCup
    | Screen
    | Valve
    | Opening
    | Marker,
    Field(discriminator="type"),
]
