"""The machine over many pulses: numbers stay numbers, and memory stays what it was."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from linacre.accelerator.faults.orders import OrderError
from linacre.accelerator.faults.table import FAULTS
from linacre.accelerator.instruments.sources import Source
from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.machine.machine import Machine
from linacre.accelerator.model.moments import MomentModel

CLARA = Path(__file__).parents[4] / "examples/clara/lattice/lattice.yaml"


def live(there: Machine, random: np.random.Generator, pulses: int) -> None:
    """Let a machine pulse with set points, and faults that end, at random."""
    keys, kinds = [*there.possible], [*FAULTS.values()]
    for _ in range(pulses):
        if random.random() < 0.2:
            key = keys[random.integers(len(keys))]
            each = there.possible[key]
            value = each.start if random.random() < 0.7 else random.uniform(each.low, each.high)
            there.set(*key, float(value))
        if random.random() < 0.05:
            kind = kinds[random.integers(len(kinds))]
            there_are = [t.name for t in there.faults.targets.values() if t.kind in kind.targets]
            if there_are:
                order(there, f"{kind.name} {there_are[random.integers(len(there_are))]} for 20")
        if random.random() < 0.02:
            order(there, "clear all")
        there.step()
        shown = there.shown
        assert np.isfinite([*shown.readings.values()]).all(), shown.pulse
        assert shown.passage.emitted == int(shown.passage.lost.sum()) + shown.passage.delivered


def order(there: Machine, text: str) -> None:
    try:
        there.faults.give(text)
    except OrderError as error:
        # So many orders stand already that no more are taken.
        assert "there are 100 orders already" in str(error)


@pytest.mark.parametrize(
    "pulses",
    [
        pytest.param(300, id="half a minute"),
        pytest.param(
            6_000,
            id="ten minutes",
            marks=[pytest.mark.thorough, pytest.mark.timeout(600)],
        ),
    ],
)
def test_whatever_is_set_and_goes_wrong_there_are_numbers_and_no_more_memory(pulses: int) -> None:
    there = Machine(MomentModel(load_lattice(CLARA)), seed=11, source=Source())
    random = np.random.default_rng(12)
    live(there, random, pulses)
    gc.collect()
    tracemalloc.start()
    try:
        live(there, random, pulses // 2)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        live(there, random, pulses // 2)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Events of faults are kept, up to a thousand, and seeds of draws by their names.
    assert after - before < 2_000_000
