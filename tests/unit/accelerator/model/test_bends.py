"""Dipoles whose field is not the one they were made for, against pyAT's exact passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linacre.accelerator.dipoles import dipole
from linacre.accelerator.lattice.elements import Dipole
from linacre.accelerator.maps import PX, X, drift
from linacre.accelerator.model.bends import bend

at = pytest.importorskip("at", reason="pyAT is not installed: pip install accelerator-toolbox")

FORM = np.kron(np.eye(3), [[0.0, 1.0], [-1.0, 0.0]])
FAST = float("inf")


def made(**more: Any) -> Dipole:
    data = {"type": "dipole", "start_m": 0, "length_m": 0.399216, "angle_rad": 0.785398}
    return Dipole.model_validate(data | more)


C2V = made(half_gap_m=0.02, fringe_integral=0.5)
RECTANGULAR = made(entrance_rad=0.392699, exit_rad=0.392699)


@pytest.mark.parametrize("data", [C2V, RECTANGULAR, made(angle_rad=-0.785398)], ids=str)
def test_with_the_field_it_was_made_for_it_is_the_dipole(data: Dipole) -> None:
    found = bend(data, data.angle_rad, bent=True, gamma=65.0)
    expected = dipole(
        data.length_m,
        data.angle_rad,
        gamma=65.0,
        entrance=data.entrance_rad,
        exit=data.exit_rad,
        gap=2 * data.half_gap_m,
        fringe_integral=data.fringe_integral,
    )
    assert found is not None
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-12)
    np.testing.assert_allclose(found.chromatic, expected.chromatic, atol=1e-12)
    np.testing.assert_allclose(found.kick, 0.0, atol=1e-15)


def test_without_field_it_is_a_length_of_its_axis() -> None:
    found = bend(C2V, 0.0, bent=False, gamma=65.0)
    assert found is not None
    length = C2V.length_m * np.sin(C2V.angle_rad) / C2V.angle_rad
    np.testing.assert_allclose(found.matrix, drift(length, gamma=65.0).matrix, atol=1e-12)
    np.testing.assert_allclose(found.kick, 0.0, atol=1e-15)


@pytest.mark.parametrize("part", [0.9, 0.97, 1.0, 1.02, 1.08])
@pytest.mark.parametrize("angle", [0.785398, -0.785398])
def test_where_the_beam_leaves_is_where_pyat_tracks_it(part: float, angle: float) -> None:
    """Its particle of another momentum takes the way of ours in another field."""
    data = made(angle_rad=angle)
    theirs = at.Dipole(
        *("B", data.length_m, angle, 0.0),
        PassMethod="ExactSectorBendPass",
        NumIntSteps=40,
        FringeBendEntrance=0,
        FringeBendExit=0,
    )
    start = np.zeros((6, 1), order="F")
    start[4] = 1 / part - 1
    x, px, *_ = theirs.track(start).ravel()
    found = bend(data, part * angle, bent=True, gamma=FAST)
    assert found is not None
    np.testing.assert_allclose([found.kick[X], found.kick[PX]], [x, part * px], atol=1e-9)


@pytest.mark.parametrize("part", [-0.1, 0.02, 0.5, 0.95, 1.3])
@pytest.mark.parametrize("bent", [True, False])
def test_emittances_are_kept_whatever_the_field(part: float, bent: bool) -> None:
    for data in (C2V, RECTANGULAR, made(angle_rad=-0.6)):
        found = bend(data, part * data.angle_rad, bent=bent, gamma=65.0)
        assert found is not None
        assert np.max(np.abs(found.matrix.T @ FORM @ found.matrix - FORM)) < 1e-12


def test_a_field_in_which_the_beam_turns_about_lets_nothing_out() -> None:
    assert bend(C2V, 6.0, bent=True, gamma=65.0) is None
    assert bend(C2V, -1.5, bent=False, gamma=65.0) is None


def test_what_it_does_to_a_beam_is_what_the_change_of_momentum_does() -> None:
    """A field too strong by a little is a momentum too low: to the first order, dispersion."""
    little = 1e-6
    strong = bend(C2V, C2V.angle_rad * (1 + little), bent=True, gamma=FAST)
    right = bend(C2V, C2V.angle_rad, bent=True, gamma=FAST)
    assert strong is not None and right is not None
    np.testing.assert_allclose(
        strong.kick[:2] / little, -right.matrix[:2, 5], rtol=1e-4, err_msg="x and px"
    )
