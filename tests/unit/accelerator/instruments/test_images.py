"""Images of screens: from a beam's moments to pixels, and back by the camera's analysis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from arriving import arrival, line_beam
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from linacre.accelerator import maps
from linacre.accelerator.instruments.analyses import AnalysisSettings, Ellipse, Spot, analyse
from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.cameras import MANTA, PCO, Camera
from linacre.accelerator.instruments.clouds import Opening, draw_cloud
from linacre.accelerator.instruments.images import Image, develop, take_image
from linacre.accelerator.maps import X, Y
from linacre.accelerator.shots import Shot

NAME = "CLA-S02-DIA-CAM-01"
DARK = Camera(dark=0.0, dark_noise=0.0, point_spread_um=0.0)


def taken(arrives: Arrival, camera: Camera = DARK, **options: object) -> Image:
    return take_image(arrives, camera, shot=Shot(4, 17), element=NAME, **options)  # type: ignore


def spot(image: Image, settings: AnalysisSettings | None = None) -> Spot:
    found = analyse(image, settings or AnalysisSettings()).spot
    assert found is not None
    return found


def test_a_cloud_has_the_moments_of_its_beam() -> None:
    seen = arrival(tilt=0.6)
    cloud = draw_cloud(seen, 200_000, Shot(1, 1).draws("cloud"))
    size = np.sqrt(np.diag(seen.beam.sigma))
    away = (cloud.particles.mean(axis=1) - seen.beam.centroid) / size
    assert np.abs(away).max() < 0.01
    assert np.allclose(
        np.cov(cloud.particles) / np.outer(size, size),
        seen.beam.sigma / np.outer(size, size),
        atol=0.01,
    )
    assert cloud.charge_c == pytest.approx(seen.charge_c)


def test_a_beam_without_some_sizes_can_be_drawn() -> None:
    cloud = draw_cloud(line_beam(), 1000, Shot(1, 1).draws("cloud"))
    assert np.isfinite(cloud.particles).all()
    assert np.allclose(cloud.particles[0], cloud.particles[1])
    assert (cloud.particles[2:] == 0).all()


@pytest.mark.parametrize("elliptical", [False, True])
def test_an_opening_lets_through_what_is_inside(elliptical: bool) -> None:
    opening = Opening(0.4e-3, 0.3e-3, elliptical)
    cloud = draw_cloud(arrival(x_mm=0, y_mm=0), 50_000, Shot(1, 1).draws("cloud"))
    through = cloud.clipped([opening])
    x, y = through.x / 0.4e-3, through.y / 0.3e-3
    inside = x**2 + y**2 <= 1 if elliptical else (np.abs(x) <= 1) & (np.abs(y) <= 1)
    assert inside.all()
    # Of round numbers of deviations: 1 - exp(-1/2), and erf(1/sqrt(2)) twice.
    unit = Opening(*np.sqrt(np.diag(arrival().beam.sigma))[[X, Y]], elliptical)
    share = cloud.clipped([unit]).charge_c / cloud.charge_c
    assert share == pytest.approx(0.3935 if elliptical else 0.6827**2, abs=0.01)


def test_a_cloud_behind_an_element_is_where_its_moments_are() -> None:
    quadrupole = maps.quadrupole(0.13, 9.0, gamma=70.0)
    seen = arrival()
    cloud = draw_cloud(seen, 100_000, Shot(1, 1).draws("cloud")).through(quadrupole)
    behind = seen.beam.through(quadrupole)
    size = np.sqrt(np.diag(behind.sigma))
    assert np.allclose(cloud.particles.mean(axis=1) / size, behind.centroid / size, atol=0.02)
    assert cloud.particles.std(axis=1) / size == pytest.approx(np.ones(6), rel=0.02)


@pytest.mark.parametrize("model", ["PCO", "MANTA"])
@pytest.mark.parametrize("tilt", [0.0, 0.7, -0.7])
def test_the_analysis_finds_the_beam_again(model: str, tilt: float) -> None:
    camera = Camera(model=model)
    seen = arrival(x_mm=0.8, y_mm=-0.5, tilt=tilt)
    found = spot(taken(seen, camera, gain=0.3, count=40_000))
    pixel = camera.sensor.pixel_mm
    assert (found.column - camera.sensor.centre_column) * pixel == pytest.approx(0.8, abs=0.01)
    assert (found.row - camera.sensor.centre_row) * pixel == pytest.approx(-0.5, abs=0.01)
    sigma = seen.beam.sigma[np.ix_((X, Y), (X, Y))] * 1e6
    # The point spread adds in squares, and so does the width of a pixel.
    blur = (camera.point_spread_um * 1e-3) ** 2 + (camera.bin * pixel) ** 2 / 12
    assert (found.sigma_columns * pixel) ** 2 == pytest.approx(sigma[0, 0] + blur, rel=0.06)
    assert (found.sigma_rows * pixel) ** 2 == pytest.approx(sigma[1, 1] + blur, rel=0.06)
    assert found.covariance * pixel**2 == pytest.approx(sigma[0, 1], abs=0.006)


@pytest.mark.parametrize(("model", "shape"), [("PCO", (540, 640)), ("MANTA", (304, 484))])
def test_images_are_binned_to_what_is_served(model: str, shape: tuple[int, int]) -> None:
    assert Camera(model=model).shape == shape
    assert taken(arrival(), Camera(model=model)).pixels.shape == shape
    assert Camera(model=model, binning=8).shape == (shape[0] // 2, shape[1] // 2)
    with pytest.raises(ValidationError, match="it must be at least 4"):
        Camera(model=model, binning=2)


def test_sensors_are_those_of_clara() -> None:
    assert (PCO.columns, PCO.rows, PCO.pixel_um) == (2560, 2160, 13.0)
    assert (MANTA.columns, MANTA.rows, MANTA.pixel_um) == (1936, 1216, 30.0)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_bits_and_saturation(bits: int) -> None:
    camera = Camera(bits=bits)
    image = taken(arrival(), camera)
    assert image.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert image.saturated == 0
    bright = taken(arrival(), camera, gain=1000.0)
    assert bright.saturated > 100
    assert bright.pixels.max() == 2**bits - 1


def test_light_goes_with_charge_and_gain() -> None:
    camera = Camera(light_per_pc=0.5)
    none = AnalysisSettings(floor=0.0)
    light = analyse(taken(arrival(charge_pc=50.0), camera), none).intensity
    more = analyse(taken(arrival(charge_pc=50.0), camera, gain=2.0), none).intensity
    expected = 50.0 * 0.5 * camera.full_scale
    darkness = analyse(taken(arrival(charge_pc=0.0), camera), none).intensity
    assert more - light == pytest.approx(expected, rel=0.03)
    assert light - darkness == pytest.approx(expected, rel=0.03)


def test_the_dark_image_has_the_noise_of_the_sensor() -> None:
    camera = Camera(dark=0.01, dark_noise=0.001)
    pixels = taken(arrival(charge_pc=0.0), camera).pixels / camera.full_scale
    assert pixels.mean() == pytest.approx(0.01, rel=0.01)
    assert pixels.std() == pytest.approx(0.001, rel=0.02)
    loud = Camera(dark=0.1, dark_noise=0.02)
    assert taken(arrival(charge_pc=0.0), loud).pixels.std() / loud.full_scale == pytest.approx(
        0.02, rel=0.02
    )
    assert analyse(taken(arrival(charge_pc=0.0), camera)).spot is None


def test_the_point_spread_keeps_the_light() -> None:
    sharp, soft = taken(arrival(), DARK), taken(arrival(), DARK.model_copy(
        update={"point_spread_um": 200.0}
    ))  # fmt: skip
    assert soft.pixels.sum() == pytest.approx(sharp.pixels.sum(), rel=1e-3)
    wider = spot(soft).sigma_columns ** 2 - spot(sharp).sigma_columns ** 2
    assert np.sqrt(wider) * PCO.pixel_mm == pytest.approx(0.2, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-40, 40),
    st.floats(-40, 40),
    st.floats(0, 1e4),
    st.sampled_from([8, 12, 16]),
    st.floats(0, 500),
)
def test_no_beam_breaks_a_camera(x: float, y: float, charge: float, bits: int, blur: float) -> None:
    camera = Camera(bits=bits, point_spread_um=blur)
    image = taken(arrival(x_mm=x, y_mm=y, charge_pc=charge), camera, count=300)
    found = analyse(image)
    assert all(np.isfinite(value) for value in found.values.values())
    if abs(x) > 30 or abs(y) > 30:
        assert image.pixels.max() <= camera.full_scale * (camera.dark + 3 * camera.dark_noise) + 1


def test_a_large_spot_is_blurred_as_a_small_one() -> None:
    seen = arrival()
    large = Arrival(replace(seen.beam, sigma=seen.beam.sigma * 100), seen.charge_c)
    camera = DARK.model_copy(update={"point_spread_um": 500.0, "light_per_pc": 20.0})
    found = spot(taken(large, camera, count=10_000)).sigma_columns * PCO.pixel_mm
    assert found**2 == pytest.approx(1e8 * seen.beam.sigma[X, X] + 0.25, rel=0.04)


def test_a_spot_at_the_edge_is_cut_by_it() -> None:
    edge = (0 - PCO.centre_column) * PCO.pixel_mm
    found = taken(arrival(x_mm=edge), DARK)
    whole = taken(arrival(), DARK)
    assert found.pixels.sum() == pytest.approx(whole.pixels.sum() / 2, rel=0.03)
    assert found.pixels[:, 100:].max() == 0


def test_an_image_is_of_its_shot_alone() -> None:
    one, other = taken(arrival(), Camera()), taken(arrival(), Camera())
    assert one.pixels.tobytes() == other.pixels.tobytes()
    next_one = take_image(arrival(), Camera(), shot=Shot(4, 18), element=NAME)
    assert next_one.pixels.tobytes() != one.pixels.tobytes()


def test_an_opening_at_the_screen_cuts_its_image() -> None:
    half = Opening(half_x_m=0.3e-3, half_y_m=1.0)
    seen = arrival(x_mm=0.0)
    cut = spot(taken(seen, DARK, openings=[half]))
    assert cut.sigma_columns < spot(taken(seen, DARK)).sigma_columns
    nothing = Opening(1e-9, 1e-9)
    assert analyse(taken(seen, DARK, openings=[nothing])).spot is None


def test_analysis_takes_mask_background_floor_and_step() -> None:
    camera = Camera()
    dark = taken(arrival(charge_pc=0.0), camera)
    image = taken(arrival(), camera)
    by_image = spot(image, AnalysisSettings(background=dark.pixels))
    assert by_image.column == pytest.approx(spot(image).column, abs=0.5)
    every_other = spot(image, AnalysisSettings(step=2))
    assert every_other.sigma_rows == pytest.approx(spot(image).sigma_rows, rel=0.05)
    left = Ellipse(PCO.centre_column - 1000, PCO.centre_row, 1000, 1000)
    assert spot(image, AnalysisSettings(mask=left)).column < PCO.centre_column
    assert analyse(image, AnalysisSettings(floor=1e6)).spot is None


def test_analysis_publishes_what_the_cameras_do() -> None:
    image = taken(arrival(x_mm=0.0, y_mm=0.0), DARK)
    found = analyse(image).values
    assert set(found) == {
        "ANA:Intensity_RBV",
        "ANA:AvgIntensity_RBV",
        "ANA:CovXY_RBV",
        "ANA:CovXYPix_RBV",
        *(f"ANA:{n}{p}_RBV" for n in ("X", "Y", "SigmaX", "SigmaY") for p in ("", "Pix")),
    }
    # As at CLARA: mm from the corner of the sensor, 0.013 mm a pixel.
    assert found["ANA:XPix_RBV"] == pytest.approx(1280.0, abs=1.0)
    assert found["ANA:X_RBV"] == pytest.approx(found["ANA:XPix_RBV"] * 0.013)
    assert found["ANA:Intensity_RBV"] == image.pixels.sum()
    assert found["ANA:AvgIntensity_RBV"] == pytest.approx(image.pixels.mean())


def test_a_clipped_cloud_can_be_developed_further_on() -> None:
    draws = Shot(1, 1).draws("cloud")
    cloud = draw_cloud(arrival(x_mm=0, y_mm=0), 20_000, draws).clipped([Opening(2e-4, 2e-4)])
    drift = maps.drift(0.5, gamma=70.0)
    image = develop(cloud.through(drift), DARK, draws)
    share = image.pixels.sum() / taken(arrival(), DARK).pixels.sum()
    assert share == pytest.approx(cloud.charge_c / arrival().charge_c, rel=0.01)
    # An even density between the edges, and as good as no divergence.
    assert spot(image).sigma_rows * PCO.pixel_mm == pytest.approx(0.4 / np.sqrt(12), rel=0.1)
