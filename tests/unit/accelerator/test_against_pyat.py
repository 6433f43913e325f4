"""The maps beside pyAT's, which another group wrote: https://github.com/atcollab/at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from linacre.accelerator import dipoles, maps
from linacre.accelerator.beams import Beam
from linacre.accelerator.maps import HORIZONTAL, VERTICAL, Map
from linacre.accelerator.twiss import Twiss, sigma_of, twiss_of
from linacre.physics.numbers import FloatArray

at = pytest.importorskip("at", reason="pyAT is not installed: pip install accelerator-toolbox")

FAST = np.inf
"""pyAT's particles have the speed of light."""
_ORDER = [0, 1, 2, 3, 5, 4]
_SIGN = np.array([1, 1, 1, 1, -1, 1])
"""Its last two coordinates are delta and the delay times c."""
SMALL = 1e-6


def at_track(element: Any, particles: FloatArray) -> FloatArray:
    """Return particles in our coordinates behind an element of pyAT."""
    theirs = np.asfortranarray((_SIGN[:, None] * particles)[_ORDER])
    behind = element.track(theirs).reshape(6, -1)
    return _SIGN[:, None] * behind[_ORDER]


def at_matrix(element: Any, delta: float = 0.0) -> FloatArray:
    about = np.zeros((6, 1))
    about[5] = delta
    steps = SMALL * np.eye(6)
    return (at_track(element, about + steps) - at_track(element, about - steps)) / (2 * SMALL)


def at_chromatic(element: Any) -> FloatArray:
    """Return the second order terms with delta, from tracks at two momenta."""
    step = 1e-4
    found = (at_matrix(element, step) - at_matrix(element, -step)) / (2 * step)
    found[:, 5] /= 2
    return found


def quadrupole(k1: float) -> Any:
    return at.Quadrupole("Q", 0.1287, k1, PassMethod="QuadLinearPass")


def bend(angle: float, how: str, **faces: float) -> Any:
    return at.Dipole("B", 0.399216, angle, 0.0, PassMethod=how, **faces)


def solenoid(strength: float) -> Any:
    return at.Element("S", Length=0.727, K=strength, PassMethod="SolenoidLinearPass")


CASES: dict[str, tuple[Any, Callable[[], Map], float]] = {
    "drift": (at.Drift("D", 1.3), lambda: maps.drift(1.3, gamma=FAST), 1e-9),
    "focusing": (quadrupole(14.2), lambda: maps.quadrupole(0.1287, 14.2, gamma=FAST), 1e-9),
    "defocusing": (quadrupole(-14.2), lambda: maps.quadrupole(0.1287, -14.2, gamma=FAST), 1e-9),
    "solenoid": (solenoid(1.3), lambda: maps.solenoid(0.727, 1.3, gamma=FAST), 1e-9),
    "sector": (
        # Without the faces' own aberrations, y px / rho, which are none of delta.
        bend(
            *(np.pi / 4, "ExactSectorBendPass"),
            NumIntSteps=40,
            FringeBendEntrance=0,
            FringeBendExit=0,
        ),
        lambda: dipoles.sector(0.399216, np.pi / 4, gamma=FAST),
        1e-9,
    ),
    "rectangular dipole": (
        bend(
            *(np.pi / 4, "BndMPoleSymplectic4Pass"),
            EntranceAngle=np.pi / 8,
            ExitAngle=np.pi / 8,
            FullGap=0.04,
            FringeInt1=0.5,
            FringeInt2=0.5,
            NumIntSteps=100,
        ),
        lambda: dipoles.dipole(
            *(0.399216, np.pi / 4),
            gamma=FAST,
            entrance=np.pi / 8,
            exit=np.pi / 8,
            gap=0.04,
            fringe_integral=0.5,
        ),
        1e-6,
    ),
    "dipole that bends back": (
        bend(-0.6, "BendLinearPass", EntranceAngle=-0.2, ExitAngle=-0.4),
        lambda: dipoles.dipole(0.399216, -0.6, gamma=FAST, entrance=-0.2, exit=-0.4),
        1e-6,
    ),
}


@pytest.mark.parametrize(("theirs", "ours", "within"), CASES.values(), ids=CASES)
def test_matrices_are_those_of_pyat(theirs: Any, ours: Callable[[], Map], within: float) -> None:
    np.testing.assert_allclose(ours().matrix, at_matrix(theirs), atol=within)


@pytest.mark.parametrize("name", ["drift", "focusing", "defocusing", "solenoid", "sector"])
def test_terms_with_delta_are_those_of_pyat(name: str) -> None:
    theirs, ours, _ = CASES[name]
    found, expected = ours().chromatic[:4], at_chromatic(theirs)[:4]
    np.testing.assert_allclose(found, expected, atol=3e-6)


DOG_LEG = [
    (at.Drift("D1", 0.35), maps.drift(0.35, gamma=FAST)),
    (quadrupole(4.2), maps.quadrupole(0.1287, 4.2, gamma=FAST)),
    (at.Drift("D2", 0.27), maps.drift(0.27, gamma=FAST)),
    (quadrupole(-5.1), maps.quadrupole(0.1287, -5.1, gamma=FAST)),
    (
        bend(np.pi / 4, "BendLinearPass", FullGap=0.04, FringeInt1=0.5, FringeInt2=0.5),
        dipoles.dipole(0.399216, np.pi / 4, gamma=FAST, gap=0.04, fringe_integral=0.5),
    ),
    (at.Drift("D3", 0.31), maps.drift(0.31, gamma=FAST)),
    (quadrupole(17.0), maps.quadrupole(0.1287, 17.0, gamma=FAST)),
    (at.Drift("D4", 0.31), maps.drift(0.31, gamma=FAST)),
    (
        bend(-np.pi / 4, "BendLinearPass", FullGap=0.04, FringeInt1=0.5, FringeInt2=0.5),
        dipoles.dipole(0.399216, -np.pi / 4, gamma=FAST, gap=0.04, fringe_integral=0.5),
    ),
]


def test_twiss_parameters_through_a_dog_leg_are_those_of_pyat() -> None:
    start = Twiss(2e-8, 3.0, -1.2), Twiss(1e-8, 5.0, 0.7)
    line = at.Lattice([theirs for theirs, _ in DOG_LEG], energy=35.5e6, periodicity=1)
    there = {
        "beta": [each.beta_m for each in start],
        "alpha": [each.alpha for each in start],
        "dispersion": np.zeros(4),
        "closed_orbit": np.zeros(6),
    }
    *_, optics = at.linopt2(line, refpts=range(len(line) + 1), twiss_in=there)
    sigma = sigma_of(*start, length_m=3e-4, momentum_spread=1e-4)
    beam = Beam(np.zeros(6), sigma, 35.5)
    for (_, element), expected in zip(DOG_LEG, optics[1:], strict=True):
        beam = beam.through(replace(element, chromatic=np.zeros((6, 6))))
        found = [twiss_of(beam.sigma, plane) for plane in (HORIZONTAL, VERTICAL)]
        np.testing.assert_allclose([each.beta_m for each in found], expected.beta, rtol=1e-6)
        np.testing.assert_allclose([each.alpha for each in found], expected.alpha, atol=1e-6)
        np.testing.assert_allclose(found[0].dispersion_m, expected.dispersion[0], atol=1e-7)
