"""Readings of BPMs, charge monitors and of the source's variation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arriving import arrival
from pydantic import ValidationError

from linacre.accelerator.instruments.bpms import Bpm
from linacre.accelerator.instruments.channels import Channel
from linacre.accelerator.instruments.charges import FCUP, ICT, WCM, ChargeMonitor
from linacre.accelerator.instruments.drifts import Drift
from linacre.accelerator.instruments.sources import STEADY, Source, Spread
from linacre.accelerator.maps import DELTA, X, Y
from linacre.accelerator.shots import Shot

NAME = "CLA-S02-DIA-BPM-01"
QUIET = Channel()
PERFECT = Bpm(x=QUIET, y=QUIET, charge=QUIET)


def readings(bpm: Bpm, *, charge_pc: float = 100.0, count: int = 2000) -> np.ndarray:
    """Return X, Y and Q of successive shots, a row a shot."""
    seen = arrival(charge_pc=charge_pc)
    found = (bpm.read(seen, shot=Shot(1, pulse), element=NAME) for pulse in range(count))
    return np.array([[each.x_mm, each.y_mm, each.charge_pc] for each in found])


def test_a_perfect_bpm_reads_the_centroid() -> None:
    found = PERFECT.read(arrival(), shot=Shot(1, 1), element=NAME)
    assert found == PERFECT.ideal(arrival())
    assert (found.x_mm, found.y_mm) == (pytest.approx(0.3), pytest.approx(-0.2))
    assert found.values() == {
        "X": found.x_mm,
        "Y": found.y_mm,
        "Q": pytest.approx(100.0),
        "RDY": 1.0,
    }


def test_noise_is_as_configured_and_goes_with_one_over_the_charge() -> None:
    bpm = Bpm(x=Channel(noise=0.005), y=Channel(noise=0.01), charge=Channel(noise=0.2))
    assert readings(bpm).std(axis=0) == pytest.approx([0.005, 0.01, 0.2], rel=0.06)
    assert readings(bpm).mean(axis=0) == pytest.approx([0.3, -0.2, 100.0], abs=0.02)
    weak = readings(bpm, charge_pc=10.0)
    assert weak.std(axis=0) == pytest.approx([0.05, 0.1, 0.2], rel=0.06)


def test_offset_scale_roll_and_converter() -> None:
    shot, seen = Shot(1, 1), arrival(x_mm=1.0, y_mm=0.0)
    shifted = Bpm(x=Channel(scale=1.1, offset=0.5), y=QUIET, charge=QUIET)
    assert shifted.read(seen, shot=shot, element=NAME).x_mm == pytest.approx(1.6)
    turned = Bpm(x=QUIET, y=QUIET, charge=QUIET, roll_rad=math.pi / 2)
    found = turned.read(seen, shot=shot, element=NAME)
    assert (found.x_mm, found.y_mm) == (pytest.approx(0.0), pytest.approx(-1.0))
    coarse = Bpm(x=Channel(full_scale=0.8, bits=4), y=QUIET, charge=QUIET)
    assert coarse.read(seen, shot=shot, element=NAME).x_mm == 0.8
    half = arrival(x_mm=0.47)
    assert coarse.read(half, shot=shot, element=NAME).x_mm == pytest.approx(0.5)


def test_without_beam_there_is_a_charge_and_no_position() -> None:
    bpm = Bpm(threshold_pc=2.0)
    for charge in (0.0, 1.99):
        found = bpm.read(arrival(charge_pc=charge), shot=Shot(1, 1), element=NAME)
        assert not found.valid
        assert found.x_mm is None and found.y_mm is None
        assert set(found.values()) == {"Q", "RDY"}
        assert found.values()["RDY"] == 0.0
        assert math.isfinite(found.charge_pc)
    assert bpm.read(arrival(charge_pc=2.0), shot=Shot(1, 1), element=NAME).valid


def test_a_reading_is_of_its_seed_pulse_element_and_beam_alone() -> None:
    bpm = Bpm()
    forward = [bpm.read(arrival(), shot=Shot(9, pulse), element=NAME) for pulse in range(50)]
    for pulse in reversed(range(50)):
        bpm.read(arrival(), shot=Shot(9, pulse), element="CLA-S02-DIA-BPM-02")
        again = bpm.read(arrival(), shot=Shot(9, pulse), element=NAME)
        assert again == forward[pulse]
    moved = arrival(x_mm=0.4)
    assert bpm.read(moved, shot=Shot(9, 3), element=NAME).x_mm == pytest.approx(
        (forward[3].x_mm or 0) + 0.1, abs=1e-12
    )
    assert bpm.read(arrival(), shot=Shot(8, 3), element=NAME) != forward[3]


@pytest.mark.parametrize("monitor", [WCM, ICT, FCUP])
def test_charge_monitors(monitor: ChargeMonitor) -> None:
    shots = (Shot(2, pulse) for pulse in range(2000))
    found = np.array([monitor.read(arrival(), shot=shot, element="Q") for shot in shots])
    assert found.mean() == pytest.approx(100.0 * monitor.collects, abs=0.1)
    assert found.std() == pytest.approx(monitor.charge.noise, rel=0.1)
    assert monitor.ideal(arrival()) == pytest.approx(100.0)
    assert monitor.values(3.0) == {"Q": 3.0}
    assert monitor.kind.stops_beam == (monitor is FCUP)
    over = monitor.read(arrival(charge_pc=5000.0), shot=Shot(1, 1), element="Q")
    assert over == monitor.charge.full_scale


def test_the_source_varies_by_what_it_says() -> None:
    source = Source(
        x_mm=Spread(jitter=0.01),
        y_mm=Spread(jitter=0.02),
        charge=Spread(jitter=0.03),
        momentum=Spread(jitter=1e-4, drift=Drift(bound=1e-3)),
    )
    start = arrival()
    beams = [source.deviation(Shot(3, pulse), "GUN").of(start) for pulse in range(3000)]
    centroids = np.array([each.beam.centroid for each in beams])
    assert centroids[:, X].std() == pytest.approx(1e-5, rel=0.06)
    assert centroids[:, Y].std() == pytest.approx(2e-5, rel=0.06)
    charges = np.array([each.charge_c for each in beams])
    assert charges.std() / charges.mean() == pytest.approx(0.03, rel=0.06)
    fast = np.diff(centroids[:, DELTA]) / np.sqrt(2)
    assert fast.std() == pytest.approx(1e-4, rel=0.06)
    assert abs(centroids[:, DELTA]).max() < 1e-3 + 6e-4
    assert start.beam.centroid[X] == 3e-4, "the beam that is set was changed"


def test_a_source_can_be_steady_and_charge_is_never_below_0() -> None:
    start = arrival()
    steady = STEADY.deviation(Shot(1, 1), "GUN").of(start)
    assert (steady.beam.centroid == start.beam.centroid).all()
    assert steady.charge_c == start.charge_c
    wild = Source(charge=Spread(jitter=5.0))
    assert min(wild.deviation(Shot(1, p), "GUN").charge_factor for p in range(200)) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Channel(noise=-1),
        lambda: Channel(noise=math.nan),
        lambda: Channel(offset=math.inf),
        lambda: Channel(bits=1),
        lambda: Drift(bound=-1),
        lambda: Drift(period_pulses=0),
        lambda: Bpm(threshold_pc=0),
        lambda: Spread(jitter=-0.1),
    ],
)
def test_impossible_settings_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        wrong()  # type: ignore[operator]
