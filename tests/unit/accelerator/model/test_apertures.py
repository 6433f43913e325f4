"""Openings: what goes through of a beam, against clouds of particles and closed formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linacre.accelerator.beams import Beam
from linacre.accelerator.lattice.values import Aperture, Shape
from linacre.accelerator.model.apertures import through

RECTANGLE = Aperture(shape=Shape.RECTANGULAR, half_width_m=2e-3, half_height_m=3e-3)
ELLIPSE = Aperture(shape=Shape.ELLIPTICAL, half_width_m=2e-3, half_height_m=3e-3)


def beam(x: float = 0.0, y: float = 0.0, size: float = 1e-3, turned: float = 0.4) -> Beam:
    """Return a beam whose planes go together, with x, y, and their momenta."""
    random = np.random.default_rng(7)
    shape = np.diag([size, 1e-4, 1.2 * size, 2e-4, 3e-4, 5e-3]) @ (
        np.eye(6) + turned * random.standard_normal((6, 6)) / 3
    )
    return Beam(np.array([x, 1e-4, y, -2e-4, 0.0, 1e-3]), shape @ shape.T, 35.0)


@pytest.mark.parametrize("aperture", [RECTANGLE, ELLIPSE], ids=["rectangle", "ellipse"])
@pytest.mark.parametrize("place", [(0.0, 0.0), (1.5e-3, 0.0), (-1e-3, 2e-3), (2.5e-3, -3e-3)])
def test_what_goes_through_is_what_goes_through_of_a_cloud(
    aperture: Aperture, place: tuple[float, float]
) -> None:
    start = beam(*place)
    cloud = np.random.default_rng(1).multivariate_normal(start.centroid, start.sigma, 400_000)
    x, y = cloud[:, 0] / aperture.half_width_m, cloud[:, 2] / aperture.half_height_m
    if aperture.shape is Shape.RECTANGULAR:
        inside = (np.abs(x) <= 1) & (np.abs(y) <= 1)
    else:
        inside = x**2 + y**2 <= 1
    part, behind = through(start, aperture)
    assert part == pytest.approx(inside.mean(), abs=3e-3)
    left = cloud[inside]
    scale = np.sqrt(np.diag(start.sigma))
    np.testing.assert_allclose(behind.centroid / scale, left.mean(axis=0) / scale, atol=2e-2)
    found = behind.sigma / np.outer(scale, scale)
    np.testing.assert_allclose(found, np.cov(left.T) / np.outer(scale, scale), atol=2e-2)


def test_an_upright_beam_in_a_rectangle_is_a_product_of_error_functions() -> None:
    sigma = np.diag([1e-3, 1e-4, 2e-3, 1e-4, 1e-4, 1e-3]) ** 2
    part, _ = through(Beam(np.zeros(6), sigma, 35.0), RECTANGLE)
    expected = math.erf(2 / math.sqrt(2)) * math.erf(1.5 / math.sqrt(2))
    assert part == pytest.approx(expected, rel=1e-12)


def test_a_round_beam_in_a_circle_is_an_exponential() -> None:
    sigma = np.diag([1e-3, 1e-4, 1e-3, 1e-4, 1e-4, 1e-3]) ** 2
    circle = Aperture(half_width_m=1.5e-3, half_height_m=1.5e-3)
    part, _ = through(Beam(np.zeros(6), sigma, 35.0), circle)
    assert part == pytest.approx(1 - math.exp(-(1.5**2) / 2), rel=1e-5)


def test_a_small_beam_well_inside_is_left_as_it_is() -> None:
    small = beam(size=1e-5)
    assert through(small, RECTANGLE) == (1.0, small)


def test_a_beam_beside_the_opening_is_lost() -> None:
    assert through(beam(x=0.1), RECTANGLE)[0] == 0.0
    assert through(beam(y=-0.1), ELLIPSE)[0] == 0.0


def test_a_beam_seven_sigma_beside_the_opening_is_told_to_the_last_digits() -> None:
    """The part beyond seven sigma of one side, less what is beyond the other edge."""
    part, behind = through(beam(x=2e-3 + 7 * 1e-4, size=1e-4, turned=0.0), RECTANGLE)
    assert part == pytest.approx(math.erfc(7 / math.sqrt(2)) / 2, rel=1e-9, abs=0)
    assert behind.centroid[0] < 2e-3
    assert 0 < behind.sigma[0, 0] < (1e-4) ** 2


@settings(max_examples=150, deadline=None)
@example(x=0.005103880122729894, y=0.00390625, size=0.0004085271332954283, shape=Shape.ELLIPTICAL)
@given(
    x=st.floats(min_value=-8e-3, max_value=8e-3),
    y=st.floats(min_value=-8e-3, max_value=8e-3),
    size=st.floats(min_value=1e-9, max_value=3e-2),
    shape=st.sampled_from(Shape),
)
def test_moments_stay_those_of_a_beam(x: float, y: float, size: float, shape: Shape) -> None:
    aperture = Aperture(shape=shape, half_width_m=2e-3, half_height_m=3e-3)
    part, behind = through(beam(x, y, size), aperture)
    assert 0.0 <= part <= 1.0
    if part > 0:
        scale = np.sqrt(np.diag(behind.sigma))
        assert np.isfinite(behind.centroid).all()
        assert np.isfinite(scale).all()
        relative = behind.sigma / np.outer(scale, scale)
        assert np.linalg.eigvalsh(relative).min() > -1e-6
