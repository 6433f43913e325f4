"""The kinds of element in a lattice file: one model each, told apart by `type`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from linacre.accelerator.lattice.rf import Momenta, Wave
from linacre.accelerator.lattice.values import Aperture, At, Code, Length, Name, Place
from linacre.physics.curves import Number, Part, Positive


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

    @property
    def stops(self) -> bool:
        """Whether no beam ever comes out of it."""
        return False


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

    @property
    def stops(self) -> bool:
        """Whether no beam ever comes out of it."""
        return True


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
