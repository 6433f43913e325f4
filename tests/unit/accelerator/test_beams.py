"""Beams as moments: against clouds of particles, and what is conserved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator import dipoles, maps
from linacre.accelerator.beams import Beam
from linacre.accelerator.cavities import Cavity
from linacre.accelerator.maps import DELTA, HORIZONTAL, PX, VERTICAL, Map
from linacre.accelerator.twiss import Twiss, sigma_of, twiss_of
from linacre.physics.kinematics import beta_gamma, gamma
from linacre.physics.numbers import FloatArray

GAMMA = gamma(35.5)
UPRIGHT = sigma_of(
    Twiss(2e-8, 3.0, -1.2), Twiss(1e-8, 5.0, 0.7), length_m=3e-4, momentum_spread=2e-2
)
LINE = [
    maps.drift(0.4, gamma=GAMMA),
    maps.quadrupole(0.1287, 9.0, gamma=GAMMA),
    maps.corrector(0.0766, horizontal=1e-3, vertical=-2e-3, gamma=GAMMA),
    maps.solenoid(0.3, 0.8, gamma=GAMMA),
    dipoles.dipole(0.399216, np.pi / 4, gamma=GAMMA, gap=0.04, fringe_integral=0.5),
    maps.quadrupole(0.1287, -9.0, gamma=GAMMA),
]


def beam(*, spread: float = 2e-2, centroid: FloatArray | None = None) -> Beam:
    sigma = UPRIGHT.copy()
    sigma[DELTA, DELTA] = spread**2
    return Beam(np.zeros(6) if centroid is None else centroid, sigma, 35.5)


def particles(of: Beam, count: int) -> FloatArray:
    """Return Gaussian particles whose first and second moments are the beam's to the last digit."""
    random = np.random.default_rng(3)
    raw = random.standard_normal((6, count))
    raw = np.hstack((raw, -raw))
    white = np.linalg.solve(np.linalg.cholesky(np.cov(raw, bias=True)), raw)
    return of.centroid[:, None] + np.linalg.cholesky(of.sigma) @ white


def tracked(element: Map, cloud: FloatArray) -> FloatArray:
    return (
        element.matrix @ cloud + cloud[DELTA] * (element.chromatic @ cloud) + element.kick[:, None]
    )


@pytest.mark.parametrize("element", LINE)
def test_moments_follow_a_cloud_of_particles(element: Map) -> None:
    start = beam(centroid=np.array([1e-3, -5e-4, 2e-3, 1e-4, 0.0, 5e-3]))
    cloud = tracked(element, particles(start, 100_000))
    behind = start.through(element)
    size = np.sqrt(np.diag(behind.sigma))
    np.testing.assert_array_less(np.abs(behind.centroid - cloud.mean(axis=1)) / size, 1e-4)
    difference = np.abs(behind.sigma - np.cov(cloud, bias=True)) / np.outer(size, size)
    assert np.max(difference) < 1e-3


def test_a_beam_of_one_momentum_keeps_its_emittances() -> None:
    start = behind = beam(spread=0.0)
    for element in LINE[:3] + LINE[4:]:
        behind = behind.through(element)
    for plane in (HORIZONTAL, VERTICAL):
        before, after = (twiss_of(each.sigma, plane).emittance_m for each in (start, behind))
        assert after == pytest.approx(before, rel=1e-9)


def test_the_emittance_of_all_planes_together_is_kept_by_linear_maps() -> None:
    start = behind = beam()
    for element in LINE:
        behind = behind.through(replace(element, chromatic=np.zeros((6, 6))))
    assert np.linalg.det(behind.sigma) == pytest.approx(np.linalg.det(start.sigma), rel=1e-9)


def test_a_spread_of_momenta_makes_the_emittance_grow_on_the_way() -> None:
    """By (L sigma_delta sigma_px^2)^2 in the square: the divergence that momentum spreads."""
    length, spread = 3.0, 2e-2
    start = beam(spread=spread)
    behind = start.through(maps.drift(length, gamma=GAMMA))
    before, after = (twiss_of(each.sigma, HORIZONTAL).emittance_m for each in (start, behind))
    grown = (length * spread * start.sigma[PX, PX]) ** 2
    assert after**2 - before**2 == pytest.approx(grown, rel=1e-9)
    assert grown > 1e-4 * before**2


def test_a_cavity_keeps_the_normalised_emittance() -> None:
    start = replace(beam(spread=0.0), momentum_mev_c=4.45)
    cavity = Cavity(2.03333, 2.9985e9, 33.0, -0.28, gamma(4.45))
    momentum = float(cavity.momentum_after_mev_c)
    behind = start.through(cavity.map(), momentum_mev_c=momentum)
    for plane in (HORIZONTAL, VERTICAL):
        before, after = (
            twiss_of(each.sigma, plane).emittance_m * beta_gamma(each.momentum_mev_c)
            for each in (start, behind)
        )
        assert after == pytest.approx(before, rel=1e-9)


@given(
    emittance=st.floats(min_value=1e-10, max_value=1e-6),
    beta=st.floats(min_value=0.05, max_value=100),
    alpha=st.floats(min_value=-20, max_value=20),
    dispersion=st.floats(min_value=-0.3, max_value=0.3),
)
def test_twiss_parameters_come_back_from_the_sigma_matrix(
    emittance: float, beta: float, alpha: float, dispersion: float
) -> None:
    horizontal = Twiss(emittance, beta, alpha, dispersion, -dispersion)
    vertical = Twiss(1e-8, 5.0, 0.7)
    sigma = sigma_of(horizontal, vertical, length_m=3e-4, momentum_spread=1e-3)
    found = twiss_of(sigma, HORIZONTAL)
    assert found.emittance_m == pytest.approx(emittance, rel=1e-6)
    assert found.beta_m == pytest.approx(beta, rel=1e-6)
    assert found.alpha == pytest.approx(alpha, rel=1e-6, abs=1e-6)
    assert found.dispersion_m == pytest.approx(dispersion, rel=1e-9)
    assert found.dispersion_slope == pytest.approx(-dispersion, rel=1e-9)
    assert twiss_of(sigma, VERTICAL).beta_m == pytest.approx(5.0)


def test_a_beam_without_size_has_no_twiss_parameters() -> None:
    none = twiss_of(np.zeros((6, 6)), HORIZONTAL)
    assert none.emittance_m == 0
    assert np.isnan([none.beta_m, none.alpha]).all()
