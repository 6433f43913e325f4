"""Momenta of the gun and the linac against what was measured at CLARA."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.accelerator.cavities import TRAVELLING_WAVE
from linacre.accelerator.cavities import Cavity as CavityMap
from linacre.accelerator.lattice.elements import Cavity, Gun
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.model.linacs import Coil, behind_linac
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.settings import PHASE, POWER, settings_of
from linacre.physics.kinematics import gamma, total_energy_mev

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
LATTICE = load_lattice(CLARA)
MODEL = MomentModel(LATTICE)
GUN, LINAC = LATTICE["CLA-LRG1-GUN-CAV"], LATTICE["CLA-L01-LIN-CAV-01"]
GUN_RF, L01_RF = "CLA-GUNS-RF-CTRL-01", "CLA-L01-RF-CTRL-01"
GUN_CREST, L01_CREST = 145.789, 269.90983

# Measured on 27 and 28 July 2021: power in MW, total momentum in MeV/c.
AT_GUN = {4.62: 3.64, 5.00: 3.78, 5.81: 4.05, 6.74: 4.29, 7.16: 4.39, 7.62: 4.49, 8.04: 4.59}
AT_L01 = {7.49: 28.73, 9.11: 31.70, 10.1: 33.13, 11.1: 34.72, 12.3: 36.35, 13.1: 37.25, 13.8: 37.61}
INJECTED = 4.45


def momenta(**changed: float) -> tuple[float, float]:
    """Return the momenta behind the gun and the linac."""
    settings = {key: each.start for key, each in settings_of(LATTICE).items()}
    names = {
        "gun": (GUN_RF, POWER),
        "gun_phase": (GUN_RF, PHASE),
        "l01": (L01_RF, POWER),
        "l01_phase": (L01_RF, PHASE),
    }
    settings |= {names[name]: value for name, value in changed.items()}
    passage = MODEL.step(settings)
    return tuple(float(passage.momentum_mev_c[each.index]) for each in (GUN, LINAC))  # pyright: ignore


@pytest.mark.parametrize(("power", "momentum"), AT_GUN.items())
def test_the_gun_gives_what_was_measured(power: float, momentum: float) -> None:
    assert momenta(gun=power)[0] == pytest.approx(momentum, abs=5e-10)


@pytest.mark.parametrize(("power", "momentum"), AT_L01.items())
def test_the_linac_adds_what_was_measured(power: float, momentum: float) -> None:
    behind_gun, behind = momenta(l01=power)
    assert behind - behind_gun == pytest.approx(momentum - INJECTED, abs=5e-10)


def test_with_the_gun_of_that_day_the_total_is_the_measured_one() -> None:
    assert isinstance(GUN.data, Gun)
    table = GUN.data.momenta
    power = float(np.interp(INJECTED, table.momentum_mev_c, table.power_mw))
    for l01, momentum in AT_L01.items():
        assert momenta(gun=power, l01=l01)[1] == pytest.approx(momentum, abs=5e-3)


@pytest.mark.parametrize("off", [-40.0, -16.0, 7.5, 30.0])
def test_off_crest_the_gain_goes_with_the_cosine_of_the_phase(off: float) -> None:
    gun, on_crest = momenta()
    _, behind = momenta(l01_phase=L01_CREST + off)
    assert behind - gun == pytest.approx((on_crest - gun) * math.cos(math.radians(off)), abs=1e-9)
    less, _ = momenta(gun_phase=GUN_CREST + off)
    assert less == pytest.approx(gun * math.cos(math.radians(off)), abs=1e-9)


def test_a_turn_of_the_phase_changes_nothing_that_is_seen() -> None:
    assert momenta(l01_phase=L01_CREST + 360)[1] == pytest.approx(momenta()[1], rel=1e-12)


def test_without_power_the_linac_is_a_drift_and_the_gun_gives_nothing() -> None:
    gun, behind = momenta(l01=0.0)
    assert behind == pytest.approx(gun)
    assert momenta(l01=0.999)[1] == pytest.approx(gun)
    assert momenta(gun=0.5) == (0.0, 0.0)


def test_in_the_wrong_phase_the_linac_stops_the_beam() -> None:
    assert momenta(l01_phase=L01_CREST + 180)[1] == 0.0


@given(st.floats(min_value=1.0, max_value=30.0), st.floats(min_value=1e-3, max_value=1.0))
def test_more_power_gives_more_momentum(power: float, more: float) -> None:
    for element in (GUN.data, LINAC.data):
        assert isinstance(element, Gun | Cavity)
        table = element.momenta
        assert table.gain_mev_c(power + more) > table.gain_mev_c(power)


def test_a_section_in_slices_is_the_section_as_a_whole() -> None:
    """Across; along z the slices are the finer gaps."""
    assert isinstance(LINAC.data, Cavity)
    found = behind_linac(
        LINAC.data, [], momentum_mev_c=INJECTED, power_mw=10.1, phase_deg=L01_CREST
    )
    assert found is not None
    gained = total_energy_mev(found.momentum_mev_c) - total_energy_mev(INJECTED)
    start = gamma(INJECTED)
    whole = CavityMap(LINAC.data.length_m, 2.9985e9, gained, 0.0, start, TRAVELLING_WAVE).map()
    np.testing.assert_allclose(found.body.matrix[:4, :4], whole.matrix[:4, :4], atol=1e-9)


def test_a_solenoid_around_the_linac_turns_the_beam_by_its_field_and_momentum_there() -> None:
    assert isinstance(LINAC.data, Cavity)
    field = 0.02
    found = behind_linac(
        LINAC.data,
        [Coil(0.5, 1.0, field)],
        momentum_mev_c=INJECTED,
        power_mw=10.1,
        phase_deg=L01_CREST,
    )
    assert found is not None
    # Both planes turn alike: of the blocks of the matrix, xy and xx are as sine and cosine.
    turned = math.atan(float(found.body.matrix[0, 2] / found.body.matrix[0, 0]))
    places = np.linspace(0.5, 1.0, 20_001)
    momentum = np.interp(places, [0.0, LINAC.data.length_m], [INJECTED, found.momentum_mev_c])
    larmor = 299.792458 * field / 2 * float(np.mean(1 / momentum))
    assert turned == pytest.approx(larmor, rel=2e-3)
    _, inside = found.at_coils[0]
    assert inside == pytest.approx(float(momentum[-1]), rel=1e-3)


def test_a_coiled_section_damps_all_planes_as_the_momentum_grows() -> None:
    assert isinstance(LINAC.data, Cavity)
    found = behind_linac(
        LINAC.data,
        [Coil(0.5, 1.0, 0.02)],
        momentum_mev_c=INJECTED,
        power_mw=10.1,
        phase_deg=L01_CREST - 16,
    )
    assert found is not None
    form = np.kron(np.eye(3), [[0.0, 1.0], [-1.0, 0.0]])
    matrix, after = found.body.matrix, found.momentum_mev_c
    damped = matrix.T @ form @ matrix - 4.45 / after * form
    assert np.max(np.abs(damped)) < 1e-9
