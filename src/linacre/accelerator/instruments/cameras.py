"""Cameras that look at screens: their sensors, and what they make of light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from linacre.physics.curves import Number, Part, Positive

MOST_COLUMNS, MOST_ROWS = 640, 540
"""Of an image: the sensor is binned until it is no larger."""


@dataclass(frozen=True)
class Sensor:
    """A sensor, as sharp as its pixels are at the screen.

    The middle of its pixel number 0 is at 0; numbers rise with x and with y.
    """

    columns: int
    rows: int
    pixel_um: float
    centre_column: float
    centre_row: float

    @property
    def pixel_mm(self) -> float:
        """How large a pixel is, in mm on the screen."""
        return self.pixel_um * 1e-3

    @property
    def least_binning(self) -> int:
        """The smallest power of two that makes an image small enough."""
        binning = 1
        while self.columns // binning > MOST_COLUMNS or self.rows // binning > MOST_ROWS:
            binning *= 2
        return binning


PCO = Sensor(2560, 2160, 13.0, 1280.0, 1080.0)
MANTA = Sensor(1936, 1216, 30.0, 968.0, 608.0)
SENSORS = {"PCO": PCO, "MANTA": MANTA}


class Camera(Part):
    """A camera and the optics between it and its screen.

    Light and darkness are in full scales of one pixel, so that they are the same at any number of
    bits.
    """

    model: str = "PCO"
    """Which of `SENSORS` it has."""
    bits: int = Field(default=16, ge=8, le=16)
    binning: int | None = Field(default=None, ge=1)
    """Pixels of the sensor to one of the image, in each plane; the least possible where unsaid."""
    point_spread_um: Number = Field(default=40.0, ge=0, le=500)
    """Rms size of a point of the screen in the image, on the scale of the screen."""
    light_per_pc: Positive = 1.0
    """What 1 pC of beam gives in all, at a gain of 1."""
    dark: Number = Field(default=0.002, ge=0, lt=1)
    """What there is in a pixel without light."""
    dark_noise: Number = Field(default=0.0003, ge=0, lt=0.1)
    """Of a pixel, rms."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.model not in SENSORS:
            raise ValueError(f"there is no camera {self.model}; there are: {', '.join(SENSORS)}")
        least = self.sensor.least_binning
        if self.binning is not None and self.binning < least:
            raise ValueError(
                f"a binning of {self.binning}; for an image of at most {MOST_COLUMNS} x "
                f"{MOST_ROWS} it must be at least {least}"
            )
        return self

    @property
    def sensor(self) -> Sensor:
        """Its sensor."""
        return SENSORS[self.model]

    @property
    def bin(self) -> int:
        """Pixels of the sensor to one of the image, in each plane."""
        return self.binning or self.sensor.least_binning

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its images."""
        return self.sensor.rows // self.bin, self.sensor.columns // self.bin

    @property
    def full_scale(self) -> int:
        """The largest count of a pixel."""
        return 2**self.bits - 1
