"""The model of CLARA: what is conserved, and what stops or changes the beam."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.accelerator.lattice.lattice import Lattice, load_lattice
from linacre.accelerator.maps import HORIZONTAL, PX, VERTICAL, X, Y
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Key, settings_of
from linacre.accelerator.twiss import twiss_of
from linacre.physics.kinematics import beta_gamma
from linacre.physics.magnet_files import CLARA as MAGNET_TABLE
from linacre.physics.magnet_files import load_magnets

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
LATTICE = load_lattice(CLARA)
MODEL = MomentModel(LATTICE)
POSSIBLE = settings_of(LATTICE)
START = {key: each.start for key, each in POSSIBLE.items()}
MOMENTUM = 33.133

DIP1, DIP2 = "CLA-C2V-MAG-DIP-01", "CLA-C2V-MAG-DIP-02"
LAST_OF_S02 = "CLA-S02-MAG-HVCOR-04"
IN_C2V, END_OF_C2V, CUP = "CLA-C2V-DIA-BPM-01", "CLA-C2V-MARK-02", "CLA-SP1-DIA-FCUP-01"


def passed(changed: dict[Key, float] | None = None) -> Passage:
    return MODEL.step(START | (changed or {}))


def at(passage: Passage, name: str) -> int:
    """Return the electrons that come to an element."""
    return int(passage.electrons[LATTICE[name].index])


def of_one_momentum(lattice: Lattice) -> Lattice:
    """Return a lattice whose beam has next to no spread of momenta."""
    beam = lattice.data.beam.model_copy(update={"momentum_spread": 1e-9})
    return replace(lattice, data=lattice.data.model_copy(update={"beam": beam}))


def bending(angle_deg: float, dipole: str = DIP1) -> dict[Key, float]:
    """Return the setting with which a dipole bends the beam of the design."""
    magnet = LATTICE.magnets[dipole]
    momentum = LATTICE.design_momenta[dipole]
    current = magnet.current_of_k(math.radians(angle_deg), momentum_mev_c=momentum)
    return {(dipole, "READI"): current}


def balanced(passage: Passage) -> bool:
    return passage.emitted == int(passage.lost.sum()) + passage.delivered


def test_all_of_the_bunch_comes_to_the_end_of_s02_as_designed() -> None:
    found = passed()
    assert found.emitted == round(100e-12 / 1.602176634e-19)
    assert found.delivered == found.emitted == at(found, LAST_OF_S02)
    assert at(found, IN_C2V) == 0
    assert found.charge_c[0] == pytest.approx(100e-12, rel=1e-9)


@pytest.mark.parametrize(
    ("changed", "last", "first_without"),
    [
        ({("CLA-PI-LSR-SHUT-01", "Sta"): 0.0}, None, "CLA-LRG1-GUN-CAV"),
        ({("EBT-INJ-LSR-SHUT-02", "Sta"): 2.0}, None, "CLA-LRG1-GUN-CAV"),
        ({("CLA-LAS-DIA-EM-01", "E"): 0.0}, None, "CLA-LRG1-GUN-CAV"),
        ({("CLA-GUNS-RF-CTRL-01", "getPower"): 0.0}, None, "CLA-LRG1-GUN-CAV"),
        (
            {("CLA-S01-VAC-VALV-01", "Sta"): 0.0},
            "CLA-S01-VAC-VALV-01",
            "CLA-S01-DIA-WCM-01",
        ),
        (
            {("CLA-S02-VAC-VALV-01", "Sta"): 2.0},
            "CLA-S02-VAC-VALV-01",
            "CLA-S02-MAG-HVCOR-03",
        ),
        (
            {("CLA-S02-DIA-SCR-02:V", "GET_DEV"): 3.0},
            "CLA-S02-DIA-SCR-02",
            "CLA-S02-MAG-QUAD-03",
        ),
        # Between its devices a screen's holder is in the way.
        (
            {("CLA-S02-DIA-SCR-02:V", "GET_DEV"): 0.0},
            "CLA-S02-DIA-SCR-02",
            "CLA-S02-MAG-QUAD-03",
        ),
        (
            {("CLA-S01-DIA-SCR-01:H", "GET_DEV"): 3.0},
            "CLA-S01-DIA-SCR-01",
            "CLA-L01-APER",
        ),
        (
            {("CLA-L01-RF-CTRL-01", "getPhase"): 269.90983 + 180},
            "CLA-L01-APER",
            "CLA-L01-LIN-CAV-01",
        ),
    ],
    ids=str,
)
def test_what_is_in_the_way_stops_the_beam(
    changed: dict[Key, float], last: str | None, first_without: str
) -> None:
    found = passed(changed)
    if last is not None:
        assert at(found, last) == found.emitted > 0
    assert at(found, first_without) == 0
    assert found.delivered == 0
    assert balanced(found)


@pytest.mark.parametrize("device", [1.0, 4.0])
def test_a_screen_that_is_out_lets_the_beam_pass(device: float) -> None:
    found = passed({("CLA-S02-DIA-SCR-02:V", "GET_DEV"): device})
    assert found.delivered == found.emitted


def test_without_rf_in_the_linac_the_slow_beam_is_lost_in_s02() -> None:
    found = passed({("CLA-L01-RF-CTRL-01", "getPower"): 0.0})
    momentum = found.momentum_mev_c[LATTICE["CLA-L01-LIN-CAV-01"].index]
    assert momentum == pytest.approx(found.momentum_mev_c[0])
    assert found.delivered < 0.05 * found.emitted
    assert balanced(found)


def test_a_tripped_quadrupole_changes_the_beam_behind_it_and_nothing_before() -> None:
    name = "CLA-S02-MAG-QUAD-03"
    before, after = passed(), passed({(name, "READI"): 0.0})
    index = LATTICE[name].index
    np.testing.assert_array_equal(before.sigma[:index], after.sigma[:index])
    size = [each.sigma[LATTICE["CLA-S02-DIA-BPM-02"].index, X, X] for each in (before, after)]
    assert abs(size[1] / size[0] - 1) > 0.1


def test_a_corrector_moves_what_is_behind_it_by_its_matrix_element() -> None:
    corrector, bpm = "CLA-S02-MAG-HVCOR-02", LATTICE["CLA-S02-DIA-SCR-02"].index
    straight, kicked = passed(), passed({("CLA-S02-MAG-HCOR-02", "READI"): 1.0})
    magnet = load_magnets(MAGNET_TABLE)["CLA-S02-MAG-HCOR-02"]
    kick = magnet.k(1.0, momentum_mev_c=float(straight.momentum_mev_c[bpm]))
    # A drift from the middle of the corrector to the screen.
    length = LATTICE["CLA-S02-DIA-SCR-02"].middle_m - LATTICE[corrector].middle_m
    moved = kicked.centroid[:, X] - straight.centroid[:, X]
    assert moved[bpm] == pytest.approx(length * kick, rel=1e-6)
    assert kicked.centroid[LATTICE[corrector].index, PX] == pytest.approx(kick, rel=1e-9)
    assert not moved[: LATTICE[corrector].index].any()


def test_the_dipole_decides_where_the_beam_goes() -> None:
    straight = passed()
    assert at(straight, LAST_OF_S02) and not at(straight, IN_C2V)
    dog_leg = passed(bending(45))
    assert at(dog_leg, END_OF_C2V) > 0.99 * dog_leg.emitted
    assert not at(dog_leg, LAST_OF_S02) and not at(dog_leg, CUP)
    for angle in (8, 20, 30, 70, -45):
        lost = passed(bending(angle))
        assert not at(lost, IN_C2V) and not at(lost, "CLA-S02-DIA-BPM-02"), angle
        assert balanced(lost)


def test_with_the_second_dipole_off_the_beam_goes_into_the_cup() -> None:
    found = passed(bending(45) | {(DIP2, "READI"): 0.0})
    assert at(found, CUP) > 0.9 * found.emitted
    assert not at(found, END_OF_C2V)
    assert found.delivered == 0
    assert balanced(found)


def test_a_dipole_a_little_off_moves_the_beam_by_its_dispersion() -> None:
    right, strong = (passed(bending(angle)) for angle in (45.0, 45.0 * 1.001))
    index = LATTICE[IN_C2V].index
    moved = strong.centroid[index, X] - right.centroid[index, X]
    dispersion = twiss_of(right.sigma[index], HORIZONTAL).dispersion_m
    assert moved == pytest.approx(-1e-3 * dispersion, rel=2e-2)


def test_the_laser_mirror_moves_the_beam_and_only_its_charge_comes() -> None:
    found = passed({("CLA-LAS-OPT-PICO-4C-PM-4:V", "POS"): 100.0, ("CLA-LAS-DIA-EM-01", "E"): 20.0})
    assert found.centroid[0, Y] == pytest.approx(1e-4)
    assert found.charge_c[0] == pytest.approx(50e-12, rel=1e-9)


def test_normalised_emittances_are_kept_from_the_gun_to_the_end() -> None:
    """Of the linear motion, all planes together: of a beam of one momentum."""
    found = MomentModel(of_one_momentum(LATTICE)).step(START)
    first, last = 0, LATTICE[LAST_OF_S02].index
    for plane in (HORIZONTAL, VERTICAL):
        begun, ended = (
            twiss_of(found.sigma[index], plane).emittance_m
            * beta_gamma(float(found.momentum_mev_c[index]))
            for index in (first, last)
        )
        assert ended == pytest.approx(begun, rel=1e-9)


def test_the_same_settings_give_the_same_bytes_whatever_was_before() -> None:
    first = passed()
    passed({("CLA-GUNS-RF-CTRL-01", "getPower"): 6.0})
    again = MomentModel(LATTICE).step(START)
    for one, other in ((first, passed()), (first, again)):
        assert one.centroid.tobytes() == other.centroid.tobytes()
        assert one.sigma.tobytes() == other.sigma.tobytes()
        assert one.electrons.tobytes() == other.electrons.tobytes()


KEYS = st.sampled_from([*POSSIBLE])


@st.composite
def changes(draw: st.DrawFn) -> dict[Key, float]:
    """Draw some settings from all that are possible, extremes among them."""
    chosen = draw(st.lists(KEYS, max_size=5, unique=True))
    return {
        key: draw(
            st.one_of(
                st.floats(min_value=POSSIBLE[key].low, max_value=POSSIBLE[key].high),
                st.sampled_from([POSSIBLE[key].low, POSSIBLE[key].high, 0.0]),
            )
        )
        for key in chosen
    }


@settings(max_examples=200, deadline=None)
@given(changes())
def test_whatever_is_set_charge_and_losses_are_what_was_emitted(changed: dict[Key, float]) -> None:
    found = passed(changed)
    assert balanced(found)
    assert (found.lost >= 0).all() and (found.electrons >= 0).all()
    for array in (found.centroid, found.sigma, found.momentum_mev_c):
        assert np.isfinite(array).all()
    there = found.electrons > 0
    assert not found.sigma[~there].any()
    assert (np.einsum("nii->ni", found.sigma[there]) > 0).all()
