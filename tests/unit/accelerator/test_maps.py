"""Maps by themselves: what must hold of each, whatever its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator import dipoles, maps
from linacre.accelerator.cavities import STANDING_WAVE, TRAVELLING_WAVE, Cavity
from linacre.accelerator.maps import DELTA, HORIZONTAL, PX, VERTICAL, Map, X, Z
from linacre.physics.constants import ELECTRON_REST_ENERGY_MEV
from linacre.physics.errors import OutOfRangeError
from linacre.physics.kinematics import beta_gamma, gamma
from linacre.physics.numbers import FloatArray

GAMMA = gamma(35.5)
STEP = 1e-5
LINAC = Cavity(2.03333, 2.9985e9, 33.0, 0.0, gamma(4.45), TRAVELLING_WAVE)
ELEMENTS = {
    "drift": lambda: maps.drift(0.8, gamma=GAMMA),
    "quadrupole": lambda: maps.quadrupole(0.1287, 14.2, gamma=GAMMA),
    "defocusing": lambda: maps.quadrupole(0.1287, -14.2, gamma=GAMMA),
    "quadrupole that is off": lambda: maps.quadrupole(0.1287, 0.0, gamma=GAMMA),
    "solenoid": lambda: maps.solenoid(0.727, 1.3, gamma=GAMMA),
    "solenoid that is off": lambda: maps.solenoid(0.727, 0.0, gamma=GAMMA),
    "corrector": lambda: maps.corrector(0.0766, horizontal=2e-3, vertical=-1e-3, gamma=GAMMA),
    "sector": lambda: dipoles.sector(0.399216, np.pi / 4, gamma=GAMMA),
    "dipole": lambda: dipoles.dipole(
        0.399216, -np.pi / 4, gamma=GAMMA, entrance=0.3, exit=0.2, gap=0.04, fringe_integral=0.5
    ),
    "dipole that is off": lambda: dipoles.dipole(0.399216, 0.0, gamma=GAMMA, gap=0.04),
}
every_element = pytest.mark.parametrize("element", ELEMENTS.values(), ids=ELEMENTS)

FORM = np.kron(np.eye(3), [[0.0, 1.0], [-1.0, 0.0]])


def lost(matrix: FloatArray, *, damping: float = 1.0) -> float:
    """Return by how much a matrix is not symplectic, or not up to a damping of momenta."""
    return float(np.max(np.abs(matrix.T @ FORM @ matrix - damping * FORM)))


@every_element
def test_elements_keep_the_emittances(element: Callable[[], Map]) -> None:
    assert lost(element().matrix) < 1e-14


@every_element
def test_an_element_leaves_each_delta_alone(element: Callable[[], Map]) -> None:
    found = element()
    np.testing.assert_array_equal(found.matrix[DELTA], np.eye(6)[DELTA])
    assert not found.chromatic[DELTA].any()


@pytest.mark.parametrize("wave", [STANDING_WAVE, TRAVELLING_WAVE])
@given(
    phase=st.floats(min_value=-np.pi, max_value=np.pi),
    momentum=st.floats(min_value=4.45, max_value=250),
    gain=st.floats(min_value=0, max_value=3.5),
)
def test_a_cavity_damps_all_planes_by_the_ratio_of_momenta(
    wave: float, phase: float, momentum: float, gain: float
) -> None:
    cavity = Cavity(0.5, 2.9985e9, gain, phase, gamma(momentum), wave)
    ratio = beta_gamma(momentum) / beta_gamma(float(cavity.momentum_after_mev_c))
    assert lost(cavity.map().matrix, damping=ratio) < 1e-11


def test_linac_1_brings_the_beam_to_the_momentum_that_was_measured() -> None:
    # 13.4 MW gave 37.51 MeV/c behind a gun of 4.45 MeV/c; off the crest, times the cosine.
    cavity = Cavity(2.03333, 2.9985e9, 33.037, 0.0, gamma(4.45))
    assert cavity.momentum_after_mev_c == pytest.approx(37.51, abs=5e-3)


def test_a_cavity_without_power_is_a_drift() -> None:
    off = Cavity(2.03333, 2.9985e9, 0.0, 0.3, GAMMA).map().matrix
    np.testing.assert_allclose(off, maps.drift(2.03333, gamma=GAMMA).matrix, atol=1e-14)


def test_the_head_of_a_bunch_gains_more_before_the_crest() -> None:
    ahead = Cavity(2.03333, 2.9985e9, 33.0, 0.2, gamma(4.45)).map().matrix[DELTA, Z]
    assert ahead > 0
    assert LINAC.map().matrix[DELTA, Z] == 0


def test_a_wave_that_goes_along_focuses_at_its_ends_only() -> None:
    before, after = 100.0, 130.0
    wave = Cavity(1.0, 3e9, 30.0 * ELECTRON_REST_ENERGY_MEV, 0.0, before, TRAVELLING_WAVE)
    log = np.log(after / before)
    expected = [
        [1 - log / 2, before / 30.0 * log],
        [-30.0 / (4 * after) * log, before / after * (1 + log / 2)],
    ]
    np.testing.assert_allclose(wave.map().matrix[:2, :2], expected, rtol=2e-4)


@pytest.mark.parametrize(
    ("energy_mev", "bunching", "transverse"),
    [
        (
            *(35.5, 10.66487208436),
            [[0.6612336361747, 1.447850253501], [-0.05584580976989, 0.6849305295082]],
        ),
        (
            *(130.0, 4.405331225295),
            [[0.8899123050455, 1.821614237713], [-7.925778056942e-3, 0.8910611437746]],
        ),
        (
            *(1000.0, 0.6879645803617),
            [[0.9846649439045, 2.002396270049], [-1.768758420278e-4, 0.9846686049378]],
        ),
    ],
)
def test_a_standing_wave_is_that_of_ocelot(
    energy_mev: float, bunching: float, transverse: list[list[float]]
) -> None:
    """Numbers of ocelot 26.6.1: `Cavity(l=2.03333, v=0.033, freq=2.9985e9, phi=20)`.

    Its formulas are of fast particles: they are off by about 1/gamma^2. Its delays count from the
    head to the tail, and its phase likewise.
    """
    lorentz = energy_mev / ELECTRON_REST_ENERGY_MEV
    within = 2 / lorentz**2
    found = Cavity(2.03333, 2.9985e9, 33.0, np.radians(20), lorentz).map().matrix
    for plane in (HORIZONTAL, VERTICAL):
        np.testing.assert_allclose(found[np.ix_(plane, plane)], transverse, rtol=within)
    assert found[DELTA, Z] == pytest.approx(bunching, rel=within)


@pytest.mark.parametrize(
    ("phase", "lorentz", "said"),
    [(np.pi, 8.77, "comes out of a cavity with a Lorentz factor of -55.8"), (0, 1, "goes into a")],
)
def test_a_beam_that_stands_is_refused(phase: float, lorentz: float, said: str) -> None:
    with pytest.raises(OutOfRangeError, match=f"^a beam {re.escape(said)}"):
        Cavity(2.03333, 2.9985e9, 33.0, phase, lorentz).map()


def quadrupole_at(delta: float, k1: float) -> FloatArray:
    """Return the exact horizontal matrix of a quadrupole for a particle off momentum."""
    length = 0.1287
    root = np.emath.sqrt(k1 / (1 + delta))
    phase = root * length
    return np.real(
        np.array(
            [
                [np.cos(phase), np.sin(phase) / (root * (1 + delta))],
                [-root * (1 + delta) * np.sin(phase), np.cos(phase)],
            ]
        )
    )


@pytest.mark.parametrize("k1", [14.2, -14.2, 3000.0])
def test_chromatic_terms_of_a_quadrupole(k1: float) -> None:
    slope = (quadrupole_at(STEP, k1) - quadrupole_at(-STEP, k1)) / (2 * STEP)
    found = maps.quadrupole(0.1287, k1, gamma=GAMMA).chromatic[:2, :2]
    np.testing.assert_allclose(found, slope, rtol=1e-7)


def test_chromatic_terms_of_a_solenoid() -> None:
    def at(delta: float) -> FloatArray:
        # Slopes are px over (1 + delta); in them the field is weaker by as much.
        scale = np.diag([1, 1 + delta, 1, 1 + delta])
        slopes = maps.solenoid(0.727, 1.3 / (1 + delta), gamma=GAMMA).matrix[:4, :4]
        return scale @ slopes @ np.linalg.inv(scale)

    slope = (at(STEP) - at(-STEP)) / (2 * STEP)
    found = maps.solenoid(0.727, 1.3, gamma=GAMMA).chromatic[:4, :4]
    np.testing.assert_allclose(found, slope, atol=1e-9)


def test_a_particle_off_momentum_goes_round_its_own_circle() -> None:
    """Second order dispersion of a sector, by the geometry of two circles."""
    angle, radius, delta = np.pi / 4, 0.5, 1e-4
    own = radius * (1 + delta)
    centre = radius - own
    there = centre * np.cos(angle) + np.sqrt(own**2 - (centre * np.sin(angle)) ** 2) - radius
    found = dipoles.sector(radius * angle, angle, gamma=GAMMA)
    assert found.matrix[X, DELTA] * delta + found.chromatic[X, DELTA] * delta**2 == pytest.approx(
        there, rel=1e-8
    )


def test_a_kick_is_the_same_for_each_momentum() -> None:
    length, kick, delta = 0.0766, 2e-3, 1e-2
    found = maps.corrector(length, horizontal=kick, vertical=0.0, gamma=GAMMA)
    particle = np.array([0, 0, 0, 0, 0, delta])
    behind = found.matrix @ particle + delta * found.chromatic @ particle + found.kick
    assert behind[PX] == kick
    assert behind[X] == pytest.approx(length / 2 * kick * (1 - delta), rel=1e-12)


def test_two_halves_are_the_whole() -> None:
    for half, whole in (
        (maps.quadrupole(0.06, 14.2, gamma=GAMMA), maps.quadrupole(0.12, 14.2, gamma=GAMMA)),
        (maps.solenoid(0.3, 1.3, gamma=GAMMA), maps.solenoid(0.6, 1.3, gamma=GAMMA)),
    ):
        both = half.then(half)
        np.testing.assert_allclose(both.matrix, whole.matrix, atol=1e-14)
        np.testing.assert_allclose(both.chromatic, whole.chromatic, atol=1e-14)


def test_two_sectors_are_one() -> None:
    both = dipoles.sector(0.2, 0.4, gamma=GAMMA).then(dipoles.sector(0.2, 0.4, gamma=GAMMA))
    whole = dipoles.sector(0.4, 0.8, gamma=GAMMA)
    np.testing.assert_allclose(both.matrix, whole.matrix, atol=1e-14)


def test_arrays_of_parameters_give_stacks_of_maps() -> None:
    scan = np.linspace(-15.0, 15.0, 7)
    stack = maps.quadrupole(0.1287, scan, gamma=GAMMA)
    assert stack.matrix.shape == (7, 6, 6)
    for place, k1 in enumerate(scan):
        one = maps.quadrupole(0.1287, k1, gamma=GAMMA)
        np.testing.assert_array_equal(stack.matrix[place], one.matrix)
        np.testing.assert_array_equal(stack.chromatic[place], one.chromatic)
    kicks = maps.corrector(0.1, horizontal=scan * 1e-3, vertical=0.0, gamma=GAMMA)
    np.testing.assert_allclose(kicks.kick[:, PX], scan * 1e-3)
    phases = Cavity(2.03333, 2.9985e9, 33.0, np.array([0.0, 0.1]), gamma(4.45)).map()
    np.testing.assert_array_equal(
        phases.matrix[0], Cavity(2.03333, 2.9985e9, 33.0, 0.0, gamma(4.45)).map().matrix
    )
