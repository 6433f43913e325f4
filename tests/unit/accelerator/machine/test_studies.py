"""What physicists do with the machine: correct an orbit, measure an emittance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator import Machine
from linacre.accelerator.instruments.cameras import Camera
from linacre.accelerator.instruments.views import View
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.model.moments import MomentModel
from linacre.physics.kinematics import beta_gamma
from linacre.physics.numbers import FloatArray

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"
MODEL = MomentModel(load_lattice(CLARA))
MOMENTUM = MODEL.lattice.design_momenta["CLA-S02-MAG-HVCOR-01"]
AVERAGED = 20


def orbit(of: Machine, bpms: list[tuple[str, str]]) -> FloatArray:
    """Return the mean of some pulses at BPMs, in mm."""
    return np.mean([_read(of, *bpms) for _ in range(AVERAGED)], axis=0)


def test_a_corrector_moves_the_bpms_behind_it_by_r12_times_its_kick_and_none_before() -> None:
    corrector, pulses = ("CLA-S02-MAG-HCOR-01", "READI"), 100
    before, behind = ("CLA-S01-DIA-BPM-01", "X"), ("CLA-S02-DIA-BPM-02", "X")
    kick = MODEL.lattice.magnets[corrector[0]].k(1.0, momentum_mev_c=MOMENTUM)

    little = Machine(MODEL)
    straight = little.read(*behind, ideal=True).value
    little.set(*corrector, 1e-3)
    little.step()
    r12 = (little.read(*behind, ideal=True).value - straight) / (1e-3 * kick)

    there = Machine(MODEL, seed=6)
    rows: dict[float, FloatArray] = {}
    for current in (0.0, 1.0):
        there.set(*corrector, current)
        rows[current] = np.array([_read(there, before, behind) for _ in range(pulses)])
    moved = rows[1.0].mean(axis=0) - rows[0.0].mean(axis=0)
    sigma = np.hypot(rows[0.0].std(axis=0), rows[1.0].std(axis=0)) / np.sqrt(pulses)
    assert abs(moved[1] - r12 * kick) < 3 * sigma[1]
    assert abs(moved[0]) < 3 * sigma[0]
    assert abs(moved[1]) > 100 * sigma[1]


def _read(of: Machine, *bpms: tuple[str, str]) -> list[float]:
    of.step()
    return [of.read(*bpm).value for bpm in bpms]


def test_the_orbit_of_s02_is_corrected_by_its_measured_response() -> None:
    there = Machine(MODEL, seed=2)
    bpms = [(f"CLA-S02-DIA-BPM-0{n}", axis) for axis in "XY" for n in (1, 2)]
    correctors = [(f"CLA-S02-MAG-{axis}COR-0{n}", "READI") for axis in "HV" for n in (1, 3)]
    # An orbit that is wrong from the linac on.
    wrong = {("CLA-S01-MAG-HCOR-02", "READI"): 0.9, ("CLA-S01-MAG-VCOR-02", "READI"): -0.6}
    there.set_all(wrong)
    begun = orbit(there, bpms)
    assert np.sqrt(np.mean(begun**2)) > 0.3

    kick = 0.2
    response = np.empty((len(bpms), len(correctors)))
    for column, corrector in enumerate(correctors):
        there.set(*corrector, kick)
        response[:, column] = (orbit(there, bpms) - begun) / kick
        there.set(*corrector, 0.0)
    for _ in range(3):
        change = -np.linalg.pinv(response) @ orbit(there, bpms)
        now = there.settings
        there.set_all({key: now[key] + by for key, by in zip(correctors, change, strict=True)})
    assert np.sqrt(np.mean(orbit(there, bpms) ** 2)) < 0.1


def _unsaturated(of: Machine, camera: str) -> View:
    """Return an image with as much gain as leaves every pixel below the end of its scale."""
    views = (of.view(camera, gain=0.5**halvings) for halvings in range(10))
    return next(view for view in views if not view.image.saturated)


def test_a_quadrupole_scan_gives_the_emittance_that_the_beam_has() -> None:
    """By images of a screen, as at the real machine."""
    there = Machine(MODEL, seed=5)
    quadrupole, screen = "CLA-S02-MAG-QUAD-04", "CLA-S02-DIA-SCR-03"
    lattice, magnet = there.lattice, there.lattice.magnets[quadrupole]
    length = lattice[quadrupole].data.length_m
    way = lattice[screen].seen_m - lattice[quadrupole].step.end_m
    there.set_all({("CLA-S02-MAG-QUAD-05", "READI"): 0.0, (f"{screen}:V", "GET_DEV"): 3.0})
    rows: list[list[float]] = []
    sizes: list[float] = []
    for current in np.linspace(-6.0, 6.0, 25):
        there.set(quadrupole, "READI", float(current))
        there.step()
        root = np.emath.sqrt(magnet.k(float(current), momentum_mev_c=MOMENTUM) / length)
        cosine = np.cos(root * length).real
        focusing = (root * np.sin(root * length)).real
        sine = (np.sinc(root * length / np.pi) * length).real
        first, second = cosine - focusing * way, sine + cosine * way
        rows.append([first**2, 2 * first * second, second**2])
        sizes.append(_unsaturated(there, "CLA-S02-DIA-CAM-03").values["ANA:SigmaX_RBV"] * 1e-3)
    # What a point of the screen is in the image is known.
    squares = np.square(sizes) - (Camera().point_spread_um * 1e-6) ** 2
    (xx, xp, pp), *_ = np.linalg.lstsq(
        np.array(rows) / squares[:, None], np.ones(len(squares)), rcond=None
    )
    found = np.sqrt(xx * pp - xp**2) * beta_gamma(MOMENTUM)
    before = lattice.names.index("CLA-S02-DIA-SCR-02")
    given = there.twiss().horizontal.normalised_emittance_m[before]
    assert found == pytest.approx(given, rel=0.05)
