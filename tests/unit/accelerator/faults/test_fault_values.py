"""What faults make of values, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from standin import BPM, CORRECTOR, GAUGE, GUN, LASER, TARGETS, WATER

from linacre.accelerator.faults.standing import Faults
from linacre.accelerator.faults.targets import TRANSMISSION, Key, Values
from linacre.accelerator.shots import Shot

SETTINGS: Values = {
    (CORRECTOR, "READI"): 2.0,
    (GUN, "getPower"): 7.0,
    (GUN, "getPhase"): 10.0,
    (LASER, "E"): 40.0,
}
READINGS: Values = SETTINGS | {
    (BPM, "X"): 0.5,
    (BPM, "Y"): -0.25,
    (GAUGE, "PRES"): 2e-9,
    (WATER, "RT"): 30.0,
}


def felt(order: str, key: Key, *, pulses: int = 10) -> list[float]:
    """Return a setting that the beam feels, from the first pulse of an order on."""
    faults = Faults(TARGETS)
    faults.give(f"{order} at 0")
    return [faults.settings(SETTINGS, Shot(3, pulse))[key] for pulse in range(pulses)]


def seen(*orders: str, key: Key, pulses: int = 10) -> list[float]:
    """Return a reading that clients see, from the first pulse of orders on."""
    faults = Faults(TARGETS)
    for order in orders:
        faults.give(f"{order} at 0")
    found: list[float] = []
    for pulse in range(pulses):
        settings = faults.settings(SETTINGS, Shot(3, pulse))
        found.append(faults.readings(READINGS | settings, Shot(3, pulse))[key])
    return found


def test_currents() -> None:
    key = (CORRECTOR, "READI")
    swing = felt(f"ripple {CORRECTOR} amplitude=0.5 period=4", key)
    assert swing == pytest.approx([2.0, 2.5, 2.0, 1.5, 2.0, 2.5, 2.0, 1.5, 2.0, 2.5])
    assert felt(f"reversed {CORRECTOR}", key) == [-2.0] * 10
    assert seen(f"reversed {CORRECTOR}", key=key) == [2.0] * 10
    assert felt(f"shorted-turn {CORRECTOR} share=0.25", key) == [1.5] * 10
    assert felt(f"trip {CORRECTOR}", key) == [0.0] * 10


def test_a_drift_goes_with_its_rate_to_its_limit() -> None:
    found = seen(f"drift {BPM}:X rate=-0.1 limit=0.35", key=(BPM, "X"), pulses=5)
    assert found == pytest.approx([0.4, 0.3, 0.2, 0.15, 0.15])
    assert seen(f"drift {BPM}:X rate=-0.1", key=(BPM, "Y")) == [-0.25] * 10


def test_a_burst_decays_and_a_leak_does_not() -> None:
    key = (GAUGE, "PRES")
    burst = seen(f"vacuum-burst {GAUGE} peak=1e-7 decay=5", key=key)
    assert burst[0] == pytest.approx(1.02e-7)
    assert burst[5] == pytest.approx(2e-9 + 1e-7 / math.e)
    leak = seen(f"leak {GAUGE} rate=1e-9 limit=5e-9", key=key)
    assert leak == pytest.approx([*(n * 1e-9 for n in range(3, 8)), *[7e-9] * 5])


def test_a_warm_cavity_is_out_of_tune() -> None:
    order = f"water-drift {WATER} rate=1 limit=1 quality=6500"
    # t = 2 Q alpha dT = 0.2145.
    assert felt(order, (GUN, "getPower"))[0] == pytest.approx(7.0 / 1.04601)
    assert felt(order, (GUN, "getPhase"))[0] == pytest.approx(10.0 - 12.106, abs=1e-3)
    assert seen(order, key=(WATER, "RT"))[0] == 31.0
    assert seen(order, key=(GUN, "getPower"))[0] == pytest.approx(7.0)
    assert seen(order, key=(GUN, "getPhase"))[0] == pytest.approx(10.0)


def test_phases_powers_and_energies() -> None:
    assert felt(f"wrong-phase {GUN} by=-15", (GUN, "getPhase")) == [-5.0] * 10
    assert seen(f"wrong-phase {GUN} by=-15", key=(GUN, "getPhase")) == [10.0] * 10
    assert felt(f"power-sag {GUN} share=0.1", (GUN, "getPower")) == pytest.approx([6.3] * 10)
    assert felt(f"laser-drop {LASER} share=0.25", (LASER, "E")) == [30.0] * 10


def test_what_happens_at_random_is_as_frequent_as_ordered() -> None:
    powers = felt(f"breakdown {GUN} chance=0.1 depth=0.5", (GUN, "getPower"), pulses=4000)
    assert set(powers) == {7.0, 3.5}
    assert powers.count(3.5) == pytest.approx(400, abs=80)
    spikes = seen(f"spikes {BPM}:X chance=0.2 height=3", key=(BPM, "X"), pulses=4000)
    assert {round(each, 6) for each in spikes} == {0.5, 3.5, -2.5}
    noisy = np.array(seen(f"noise {BPM} rms=0.2", key=(BPM, "Y"), pulses=4000))
    assert noisy.std() == pytest.approx(0.2, rel=0.05)
    assert noisy.mean() == pytest.approx(-0.25, abs=0.02)


def test_losses_multiply() -> None:
    faults = Faults(TARGETS)
    for share in (0.5, 0.2):
        faults.give(f"beam-loss {BPM} share={share}")
    assert faults.settings(SETTINGS, Shot(3, 0))[BPM, TRANSMISSION] == pytest.approx(0.4)


def test_the_same_fault_twice_draws_twice() -> None:
    once = seen(f"noise {BPM} rms=0.2", key=(BPM, "X"), pulses=2000)
    twice = seen(*[f"noise {BPM} rms=0.2"] * 2, key=(BPM, "X"), pulses=2000)
    assert np.std(twice) / np.std(once) == pytest.approx(math.sqrt(2), rel=0.06)


def test_what_is_given_is_left_as_it_was() -> None:
    faults = Faults(TARGETS)
    faults.give(f"trip {CORRECTOR}")
    settings, readings = dict(SETTINGS), dict(READINGS)
    faults.settings(settings, Shot(3, 0))
    faults.readings(readings, Shot(3, 0))
    assert settings == SETTINGS and readings == READINGS
