"""What currents do that no machine should have: nothing that is set ends the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator.lattice.lattice import Lattice, load_lattice
from linacre.accelerator.maps import X, Y
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import Key, settings_of

MAGNETS = """\
magnets:
  COIL:
    kind: solenoid
    rating_a: 100
    # The fit of the Larmor angle falls to 0 at 10 MeV/c.
    curve: {form: solenoid, larmor_deg: [0.5, -0.05], field: [0.17, 0]}
"""
LATTICE = """\
lattice: test
magnets: magnets.yaml
laser:
  meter: LASER
  energy_uj: 40
  charge_pc_per_uj: 2.5
  mirror: {horizontal: H, vertical: V, mm_per_step: 0.001}
beam:
  horizontal: {normalised_emittance_m: 5.0e-7, beta_m: 2}
  vertical: {normalised_emittance_m: 5.0e-7, beta_m: 2}
  length_m: 0.0004
  momentum_spread: 0.002
sections:
  A:
    end_m: 4
    aperture: {half_width_m: 0.02, half_height_m: 0.02}
    elements:
      GUN:
        type: gun
        start_m: 0
        length_m: 0.17
        rf: RF
        crest_deg: 0
        power_mw: 7
        momenta: {power_mw: [5, 7, 8], momentum_mev_c: [4, 5, 20]}
      COIL: {type: solenoid, start_m: 0.5, length_m: 0.2}
      END: {type: marker, middle_m: 3.5}
"""


@pytest.fixture
def lattice(tmp_path: Path) -> Lattice:
    (tmp_path / "magnets.yaml").write_text(MAGNETS)
    file = tmp_path / "lattice.yaml"
    file.write_text(LATTICE)
    return load_lattice(file)


def passed(lattice: Lattice, changed: dict[Key, float]) -> Passage:
    start = {key: each.start for key, each in settings_of(lattice).items()}
    return MomentModel(lattice).step(start | {("H", "POS"): 1000.0} | changed)


def turned(passage: Passage, lattice: Lattice) -> float:
    """Return by how much the beam was turned behind the solenoid, in which it came in at y = 0."""
    x, y = passage.centroid[lattice["COIL"].index, [X, Y]]
    return float(np.arctan2(-y, x))


def test_a_solenoid_turns_the_beam_by_the_fit_of_its_larmor_angle(lattice: Lattice) -> None:
    found = passed(lattice, {("COIL", "READI"): 50.0})
    assert turned(found, lattice) == pytest.approx(np.deg2rad(50 * (0.5 - 0.05 * 5)), rel=1e-3)


def test_beyond_the_fit_it_turns_the_beam_by_its_field(lattice: Lattice) -> None:
    found = passed(lattice, {("COIL", "READI"): 50.0, ("RF", "getPower"): 8.0})
    angle = 0.17e-3 * 50 / 2 / (20 / 299.792458)
    assert turned(found, lattice) == pytest.approx(angle, rel=1e-3)


def test_more_than_a_supply_can_give_is_what_it_can_give(lattice: Lattice) -> None:
    most, more = (passed(lattice, {("COIL", "READI"): each}) for each in (120.0, 1e6))
    assert settings_of(lattice)["COIL", "READI"].high == 120.0
    np.testing.assert_array_equal(more.centroid, most.centroid)
