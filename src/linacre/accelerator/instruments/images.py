"""Images of screens, as cameras take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from linacre.accelerator.instruments.arrivals import MILLI, PICO, Arrival
from linacre.accelerator.instruments.cameras import Camera
from linacre.accelerator.instruments.clouds import TRANSVERSE, Cloud, Opening, draw_cloud
from linacre.accelerator.shots import Shot
from linacre.physics.numbers import FloatArray

Pixels = NDArray[np.uint8 | np.uint16]
"""Counts, of shape (rows, columns): 8 bit, or more in 16."""

PARTICLES = 10_000


@dataclass(frozen=True)
class Image:
    """What a camera took; the row and the column 0 are at the smallest y and x."""

    pixels: Pixels
    camera: Camera

    @property
    def saturated(self) -> int:
        """How many pixels are at the end of the scale."""
        return int(np.count_nonzero(self.pixels == self.camera.full_scale))


def take_image(
    arrival: Arrival,
    camera: Camera,
    *,
    shot: Shot,
    element: str,
    openings: Sequence[Opening] = (),
    gain: float = 1.0,
    count: int = PARTICLES,
) -> Image:
    """Return the image of an inserted screen in a shot.

    The openings are those at the screen itself: its own edge, and the pipe. Where an aperture cuts
    the beam elsewhere, draw a cloud there, clip it, take it on by `Cloud.through`, and `develop`.
    """
    draws = shot.draws(element, "image")
    cloud = draw_cloud(arrival, count, draws, coordinates=TRANSVERSE).clipped(openings)
    return develop(cloud, camera, draws, gain=gain)


def develop(cloud: Cloud, camera: Camera, draws: Generator, *, gain: float = 1.0) -> Image:
    """Return the image of a cloud; the generator draws the noise of the sensor."""
    pixels = _darkness(camera, draws)
    spread = _spread(camera)
    if _is_sparse(cloud, camera):
        cloud, spread = _scattered(cloud, camera, draws), [1.0]
    light, top, left = _light(cloud, camera, spread)
    if light.size:
        charge_pc = cloud.charge_each_c / PICO
        light *= charge_pc * camera.light_per_pc * gain * camera.full_scale
        rows, columns = light.shape
        part = pixels[top : top + rows, left : left + columns]
        np.minimum(np.rint(light + part), camera.full_scale, out=part, casting="unsafe")
    return Image(pixels, camera)


def _darkness(camera: Camera, draws: Generator) -> Pixels:
    """Return the counts without light: a random byte a pixel, through a table of their values."""
    rows, columns = camera.shape
    words = draws.bit_generator.random_raw(-(-rows * columns // 8))
    bytes_ = words.view(np.uint8)[: rows * columns]
    table = _dark_table(camera.dark, camera.dark_noise, camera.full_scale)
    kind = np.uint8 if camera.bits == 8 else np.uint16
    if table[-1] > 255:
        return table[bytes_].astype(kind).reshape(rows, columns)
    narrow = bytes_.tobytes().translate(table.astype(np.uint8).tobytes())
    return np.frombuffer(narrow, np.uint8).astype(kind).reshape(rows, columns)


@lru_cache(maxsize=64)
def _dark_table(dark: float, noise: float, full_scale: int) -> NDArray[np.uint16]:
    normal = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])
    counts = (dark + noise * normal / normal.std()) * full_scale
    return np.clip(np.rint(counts), 0, full_scale).astype(np.uint16)


def _is_sparse(cloud: Cloud, camera: Camera) -> bool:
    """Whether there are far fewer particles than pixels where they are."""
    if cloud.x.size == 0:
        return False
    pixel_m = camera.sensor.pixel_mm * camera.bin * MILLI
    return float(np.ptp(cloud.x) * np.ptp(cloud.y)) > _SPARSE * cloud.x.size * pixel_m**2


_SPARSE = 4
"""Pixels a particle; a spot of so few is as good where each is put aside by chance."""


def _scattered(cloud: Cloud, camera: Camera, draws: Generator) -> Cloud:
    """Return a cloud in which each particle is seen where one of its photons is."""
    aside = draws.standard_normal((2, cloud.x.size)) * camera.point_spread_um * 1e-6
    return Cloud(np.stack((cloud.x, cloud.y)) + aside, cloud.charge_each_c, TRANSVERSE)


def _light(
    cloud: Cloud, camera: Camera, spread: list[float]
) -> tuple[NDArray[np.float32], int, int]:
    """Return the light of a cloud, 1 a particle, in the part of the image that has any."""
    rows, columns = camera.shape
    column = _numbers(cloud.x, camera, camera.sensor.centre_column)
    row = _numbers(cloud.y, camera, camera.sensor.centre_row)
    reach = len(spread) // 2
    # Who falls just outside still gives light inside.
    seen = (column >= -reach) & (column < columns + reach)
    seen &= (row >= -reach) & (row < rows + reach)
    column, row = column[seen], row[seen]
    if not column.size:
        return np.zeros((0, 0), np.float32), 0, 0
    left, top = int(column.min()) - reach, int(row.min()) - reach
    width, height = int(column.max()) + reach + 1 - left, int(row.max()) + reach + 1 - top
    places = (row - top).astype(np.intp) * width + (column - left).astype(np.intp)
    hits = np.bincount(places, minlength=width * height).reshape(height, width)
    light = _blurred(hits.astype(np.float32), spread)
    inside = light[max(0, -top) : rows - top, max(0, -left) : columns - left]
    return inside, max(0, top), max(0, left)


def _numbers(positions_m: FloatArray, camera: Camera, centre: float) -> FloatArray:
    """Return the numbers of the image's rows or columns at some positions."""
    pixel = positions_m / (MILLI * camera.sensor.pixel_mm) + centre
    return np.floor((pixel + 0.5) / camera.bin)


def _spread(camera: Camera) -> list[float]:
    """Return what a point's light is in pixels of the image, the middle one among them."""
    size = camera.point_spread_um / (camera.sensor.pixel_um * camera.bin)
    reach = int(np.ceil(3 * size))
    if reach == 0:
        return [1.0]
    bell = NormalDist(0.0, size)
    raw = [bell.cdf(place + 0.5) - bell.cdf(place - 0.5) for place in range(-reach, reach + 1)]
    return [each / sum(raw) for each in raw]


def _blurred(light: NDArray[np.float32], spread: list[float]) -> NDArray[np.float32]:
    """Return light spread in both planes; it must be dark as far from its edges as it spreads."""
    reach = len(spread) // 2
    for _ in range(2):
        found = light * np.float32(spread[reach])
        for away in range(1, reach + 1):
            part = light * np.float32(spread[reach + away])
            found[away:] += part[:-away]
            found[:-away] += part[away:]
        light = found.T
    return light
