"""The optics of S02 and C2V beside pyAT's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linacre.accelerator.lattice.elements import Corrector, Dipole, Quadrupole
from linacre.accelerator.lattice.lattice import Lattice, Placed, load_lattice
from linacre.accelerator.maps import HORIZONTAL, VERTICAL
from linacre.accelerator.model.moments import MomentModel
from linacre.accelerator.model.settings import Key, settings_of
from linacre.accelerator.twiss import twiss_of

at = pytest.importorskip("at", reason="pyAT is not installed: pip install accelerator-toolbox")

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
LATTICE = load_lattice(CLARA)
DIPOLE = "CLA-C2V-MAG-DIP-01"
START = {key: each.start for key, each in settings_of(LATTICE).items()}
FIRST = "CLA-S02-APER-01"


def into_c2v() -> dict[Key, float]:
    momentum = LATTICE.design_momenta[DIPOLE]
    current = LATTICE.magnets[DIPOLE].current_of_k(math.pi / 4, momentum_mev_c=momentum)
    return {(DIPOLE, "READI"): current}


def of_one_momentum() -> Lattice:
    """Return CLARA with a beam for which terms of second order do not count."""
    beam = LATTICE.data.beam.model_copy(update={"momentum_spread": 1e-7})
    return replace(LATTICE, data=LATTICE.data.model_copy(update={"beam": beam}))


def line(names: list[str], settings: dict[Key, float]) -> Iterator[tuple[Placed, Any, float]]:
    """Yield elements, what pyAT makes of them, and where each begins."""
    for name in names:
        placed = LATTICE[name]
        momentum = LATTICE.design_momenta[name]
        data = placed.data
        match data:
            case Quadrupole():
                k = LATTICE.magnets[name].k(settings[name, "READI"], momentum_mev_c=momentum)
                made = at.Quadrupole(
                    name, data.length_m, k / data.length_m, PassMethod="QuadLinearPass"
                )
            case Dipole() if settings[name, "READI"]:
                made = at.Dipole(
                    *(name, data.length_m, data.angle_rad),
                    PassMethod="BendLinearPass",
                    FullGap=2 * data.half_gap_m,
                    FringeInt1=data.fringe_integral,
                    FringeInt2=data.fringe_integral,
                )
            case _:
                made = at.Drift(name, placed.step.length_m)
        yield placed, made, placed.step.start_m


S02 = [each.name for each in LATTICE if each.section == "S02"]
TO_C2V = S02[: S02.index(DIPOLE) + 1] + [each.name for each in LATTICE if each.section == "C2V"]


@pytest.mark.parametrize(
    ("names", "changed"), [(S02, {}), (TO_C2V, into_c2v())], ids=["S02", "S02 and C2V"]
)
def test_twiss_parameters_are_those_of_pyat(names: list[str], changed: dict[Key, float]) -> None:
    settings = START | changed
    passage = MomentModel(of_one_momentum()).step(settings)
    there, first = passage.sigma, LATTICE[FIRST].index
    begins = [twiss_of(there[first], plane) for plane in (HORIZONTAL, VERTICAL)]
    elements: list[Any] = []
    looked: list[tuple[Placed, int]] = []
    here = LATTICE[FIRST].step.end_m
    for placed, made, start in line(names[1:], settings):
        elements += [at.Drift("D", start - here), made]
        here = start + made.Length
        if not isinstance(placed.data, Corrector) and placed.data.type not in ("bpm", "wcm"):
            looked.append((placed, len(elements)))
    theirs = at.Lattice(elements, energy=33.133e6, periodicity=1)
    twiss_in = {
        "beta": [each.beta_m for each in begins],
        "alpha": [each.alpha for each in begins],
        "dispersion": np.zeros(4),
        "closed_orbit": np.zeros(6),
    }
    *_, optics = at.linopt2(theirs, refpts=range(len(theirs) + 1), twiss_in=twiss_in)
    assert len(looked) > 10
    for placed, place in looked:
        found = [twiss_of(there[placed.index], plane) for plane in (HORIZONTAL, VERTICAL)]
        beta, alpha = optics[place].beta, optics[place].alpha
        np.testing.assert_allclose([each.beta_m for each in found], beta, rtol=1e-4)
        scale = 1e-4 * (1 + np.abs(alpha))
        np.testing.assert_array_less(np.abs([each.alpha for each in found] - alpha), scale)
        expected = optics[place].dispersion[0]
        assert found[0].dispersion_m == pytest.approx(expected, abs=1e-4)
