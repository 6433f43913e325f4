"""The optics of S02 and C2V beside ocelot's, where it is installed: it is no dependency."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linacre.accelerator.lattice.elements import Dipole, Quadrupole
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.maps import HORIZONTAL, VERTICAL
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.settings import settings_of
from linacre.accelerator.twiss import twiss_of
from linacre.physics.kinematics import total_energy_mev

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ocelot = pytest.importorskip(
        "ocelot", reason="ocelot is not installed: pip install ocelot-desy"
    )

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
LATTICE = load_lattice(CLARA)
DIPOLE, LAST = "CLA-C2V-MAG-DIP-01", "CLA-C2V-MARK-02"
MOMENTUM = LATTICE.design_momenta[DIPOLE]


def of_ocelot(data: Any, name: str, settings: Any) -> Any:
    match data:
        case Quadrupole():
            k = LATTICE.magnets[name].k(settings[name, "READI"], momentum_mev_c=MOMENTUM)
            return ocelot.Quadrupole(l=data.length_m, k1=k / data.length_m)
        case Dipole():
            return ocelot.Bend(
                l=data.length_m,
                angle=data.angle_rad,
                gap=2 * data.half_gap_m,
                fint=data.fringe_integral,
                fintx=data.fringe_integral,
            )
        case _:
            return ocelot.Drift(l=data.length_m)


def test_twiss_parameters_behind_the_dog_leg_are_those_of_ocelot() -> None:
    current = LATTICE.magnets[DIPOLE].current_of_k(math.pi / 4, momentum_mev_c=MOMENTUM)
    settings = {key: each.start for key, each in settings_of(LATTICE).items()}
    settings[DIPOLE, "READI"] = current
    beam = LATTICE.data.beam.model_copy(update={"momentum_spread": 1e-7})
    lattice = replace(LATTICE, data=LATTICE.data.model_copy(update={"beam": beam}))
    passage = MomentModel(lattice).step(settings)

    names = [each.name for each in LATTICE if each.section == "S02"]
    names = names[: names.index(DIPOLE) + 1]
    names += [each.name for each in LATTICE if each.section == "C2V"]
    cells: list[Any] = []
    here = LATTICE[names[0]].step.end_m
    for name in names[1:]:
        placed = LATTICE[name]
        made = of_ocelot(placed.data, name, settings)
        cells += [ocelot.Drift(l=placed.step.start_m - here), made]
        here = placed.step.start_m + made.l
    begun = [
        twiss_of(passage.sigma[LATTICE[names[0]].index], plane) for plane in (HORIZONTAL, VERTICAL)
    ]
    start = ocelot.Twiss(
        beta_x=begun[0].beta_m,
        alpha_x=begun[0].alpha,
        beta_y=begun[1].beta_m,
        alpha_y=begun[1].alpha,
        E=float(total_energy_mev(MOMENTUM)) / 1e3,
    )
    end = ocelot.twiss(ocelot.MagneticLattice(cells), start)[-1]
    found = [
        twiss_of(passage.sigma[LATTICE[LAST].index], plane) for plane in (HORIZONTAL, VERTICAL)
    ]
    np.testing.assert_allclose([each.beta_m for each in found], [end.beta_x, end.beta_y], rtol=1e-4)
    np.testing.assert_allclose(
        [each.alpha for each in found], [end.alpha_x, end.alpha_y], rtol=1e-4, atol=1e-4
    )
    assert found[0].dispersion_m == pytest.approx(end.Dx, abs=1e-5)
