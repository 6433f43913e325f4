"""What a camera's analysis publishes of an image: where the spot is, and how large."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linacre.accelerator.instruments.images import Image, Pixels


@dataclass(frozen=True)
class Ellipse:
    """A mask: what is outside does not count. In pixels of the sensor."""

    centre_column: float
    centre_row: float
    radius_columns: float
    radius_rows: float


@dataclass(frozen=True)
class AnalysisSettings:
    """What is done to an image before it is analysed."""

    background: Pixels | None = None
    """An image without beam that is taken off; the darkness of the camera where there is none."""
    floor: float | None = None
    """Counts below it are none, after the background; four times the noise where unsaid."""
    mask: Ellipse | None = None
    step: int = 1
    """Of pixels, in each plane, so many make one point: the others are passed over."""


@dataclass(frozen=True)
class Spot:
    """Mean and covariances of the light, in pixels of the sensor."""

    column: float
    row: float
    sigma_columns: float
    sigma_rows: float
    covariance: float


@dataclass(frozen=True)
class Analysis:
    """What was found in an image."""

    spot: Spot | None
    """None where there is no light."""
    intensity: float
    """Counts in all."""
    mean_intensity: float
    """Counts a pixel of the image."""
    pixel_mm: float
    values: dict[str, float] = field(init=False, repr=False)
    """What goes into PVs, by suffix; positions in mm are from the sensor's corner."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", self._values())

    def _values(self) -> dict[str, float]:
        found = {
            "ANA:Intensity_RBV": self.intensity,
            "ANA:AvgIntensity_RBV": self.mean_intensity,
        }
        if self.spot is None:
            return found
        for name, pixels in (
            ("X", self.spot.column),
            ("Y", self.spot.row),
            ("SigmaX", self.spot.sigma_columns),
            ("SigmaY", self.spot.sigma_rows),
        ):
            found[f"ANA:{name}Pix_RBV"] = pixels
            found[f"ANA:{name}_RBV"] = pixels * self.pixel_mm
        found["ANA:CovXYPix_RBV"] = self.spot.covariance
        found["ANA:CovXY_RBV"] = self.spot.covariance * self.pixel_mm**2
        return found


_DEFAULT = AnalysisSettings()


def analyse(image: Image, settings: AnalysisSettings = _DEFAULT) -> Analysis:
    """Return the moments of an image's light about its mean."""
    camera, step = image.camera, settings.step
    rows = _numbers(camera.shape[0], camera.bin, step)
    columns = _numbers(camera.shape[1], camera.bin, step)
    light = _light(image, settings)
    if settings.mask is not None:
        light *= _inside(settings.mask, columns, rows)
    across, up = light.sum(axis=0, dtype=np.float64), light.sum(axis=1, dtype=np.float64)
    total = float(across.sum())
    return Analysis(
        spot=_spot(light, across, up, columns, rows) if total > 0 else None,
        intensity=total,
        mean_intensity=total / light.size,
        pixel_mm=camera.sensor.pixel_mm,
    )


def _light(image: Image, settings: AnalysisSettings) -> NDArray[np.float32]:
    camera, step = image.camera, settings.step
    light = image.pixels[::step, ::step].astype(np.float32)
    if settings.background is None:
        light -= np.float32(camera.dark * camera.full_scale)
    else:
        light -= settings.background[::step, ::step]
    floor = settings.floor
    if floor is None:
        floor = 4 * camera.dark_noise * camera.full_scale
    light *= light > max(floor, 0.0)
    return light


def _numbers(count: int, binning: int, step: int) -> NDArray[np.float64]:
    """Return where the middles of an image's rows or columns are, in pixels of the sensor."""
    return np.arange(0, count, step, dtype=np.float64) * binning + (binning - 1) / 2


def _inside(
    mask: Ellipse, columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.bool_]:
    across = ((columns - mask.centre_column) / mask.radius_columns) ** 2
    up = ((rows - mask.centre_row) / mask.radius_rows) ** 2
    return across + up[:, None] <= 1


def _spot(
    light: NDArray[np.float32],
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    columns: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> Spot:
    total = across.sum()
    column, row = columns @ across / total, rows @ up / total
    away_columns, away_rows = columns - column, rows - row
    covariance = away_rows @ (light @ away_columns.astype(np.float32)) / total
    return Spot(
        column=float(column),
        row=float(row),
        sigma_columns=float(np.sqrt(away_columns**2 @ across / total)),
        sigma_rows=float(np.sqrt(away_rows**2 @ up / total)),
        covariance=float(covariance),
    )
