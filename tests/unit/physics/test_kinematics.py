from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.physics import kinematics
from linacre.physics.constants import (
    ELECTRON_MASS,
    ELECTRON_REST_ENERGY_MEV,
    ELEMENTARY_CHARGE,
    MEV,
    MEV_C,
    SPEED_OF_LIGHT,
)
from linacre.physics.errors import OutOfRangeError

MOMENTA = st.floats(min_value=1e-6, max_value=1e6)
"""In MeV/c: from electrons at rest to far beyond any machine."""
BACK = [
    (kinematics.kinetic_energy_mev, kinematics.momentum_of_kinetic_energy),
    (kinematics.beta_gamma, kinematics.momentum_of_beta_gamma),
    (kinematics.rigidity_tm, kinematics.momentum_of_rigidity),
]


def test_mass_and_rest_energy_are_of_one_adjustment() -> None:
    assert (
        pytest.approx(ELECTRON_REST_ENERGY_MEV, rel=1e-10)
        == ELECTRON_MASS * SPEED_OF_LIGHT**2 / MEV
    )


def test_a_number_in_a_unit_times_the_unit_is_in_si() -> None:
    momentum = 35.5 * MEV_C
    assert momentum == pytest.approx(35.5e6 * ELEMENTARY_CHARGE / 299_792_458, rel=1e-15)
    assert momentum / ELEMENTARY_CHARGE == pytest.approx(kinematics.rigidity_tm(35.5), rel=1e-15)


def test_one_tesla_metre_is_299_792458_mev_c() -> None:
    assert kinematics.momentum_of_rigidity(1.0) == pytest.approx(299.792458, rel=1e-15)


def test_what_leaves_the_gun() -> None:
    # 4.45 MeV/c: the gun's part in what was measured behind linac 1.
    assert kinematics.beta_gamma(4.45) == pytest.approx(8.70843, rel=1e-6)
    assert kinematics.kinetic_energy_mev(4.45) == pytest.approx(3.968244, rel=1e-6)
    assert kinematics.beta(4.45) == pytest.approx(0.993471, rel=1e-6)


@pytest.mark.parametrize(("there", "back"), BACK, ids=lambda each: each.__name__)
@given(momentum=MOMENTA)
def test_there_and_back_is_where_it_began(
    there: Callable[[float], float], back: Callable[[float], float], momentum: float
) -> None:
    assert back(there(momentum)) == pytest.approx(momentum, rel=1e-14)


@given(MOMENTA)
def test_energy_momentum_and_velocity_belong_together(momentum: float) -> None:
    gamma, beta = kinematics.gamma(momentum), kinematics.beta(momentum)
    assert gamma * beta == pytest.approx(kinematics.beta_gamma(momentum), rel=1e-14)
    total = kinematics.total_energy_mev(momentum)
    assert total == pytest.approx(gamma * ELECTRON_REST_ENERGY_MEV, rel=1e-14)
    assert math.isclose(
        total, kinematics.kinetic_energy_mev(momentum) + ELECTRON_REST_ENERGY_MEV, rel_tol=1e-14
    )


@given(st.floats(min_value=1.0, max_value=1e6))
def test_a_total_energy_gives_its_momentum(momentum: float) -> None:
    total = kinematics.total_energy_mev(momentum)
    assert kinematics.momentum_of_total_energy(total) == pytest.approx(momentum, rel=1e-13)


def test_arrays_give_arrays() -> None:
    momenta = np.array([[0.1, 4.45], [35.5, 180.0]])
    for there, back in BACK:
        values = there(momenta)
        assert values.shape == momenta.shape
        assert values[1, 0] == there(35.5)
        np.testing.assert_allclose(back(values), momenta, rtol=1e-14)


@pytest.mark.parametrize("energy", [-0.1, math.nan, np.array([1.0, -0.1])])
def test_no_electron_has_less_than_its_rest_energy(energy: float) -> None:
    with pytest.raises(OutOfRangeError, match=r"^a kinetic energy of .* MeV: it is 0 MeV or more"):
        kinematics.momentum_of_kinetic_energy(energy)
    with pytest.raises(OutOfRangeError, match=r"^a total energy of 0\.5 MeV: it is 0\.510999 MeV"):
        kinematics.momentum_of_total_energy(0.5)
