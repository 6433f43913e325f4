"""A simulated week with faults at random: every reading a number, and nothing that grows."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from standin import BY_KIND, StandIn

from linacre.accelerator.faults.orders import OrderError
from linacre.accelerator.faults.standing import MOST
from linacre.accelerator.faults.table import FAULTS

RATE_HZ = 10
WEEK = 7 * 24 * 3600 * RATE_HZ


def any_order(random: np.random.Generator, *, lasts: int) -> str:
    kind = [*FAULTS.values()][random.integers(len(FAULTS))]
    target = BY_KIND[kind.targets[random.integers(len(kind.targets))]]
    given = " ".join(
        f"{each.name}={random.uniform(each.low, each.high)!r}" for each in kind.parameters
    )
    return f"{kind.name} {target.name} {given} for {random.integers(1, lasts)}"


@pytest.mark.parametrize(
    "every", [3600, pytest.param(600, marks=pytest.mark.thorough)], ids=["sparse", "dense"]
)
def test_a_week(every: int) -> None:
    machine = StandIn(seed=20)
    random = np.random.default_rng(20)
    begun: set[str] = set()
    objects: list[int] = []
    for pulse in range(0, WEEK, every):
        machine.settings = {
            key: value for key, value in machine.settings.items() if key[1] not in _RESETS
        }
        if random.random() < 0.5:
            try:
                given = machine.faults.give(any_order(random, lasts=40 * every))
            except OrderError as error:
                assert "orders already" in str(error)
            else:
                assert given is not None
                begun.add(given.order.fault)
        if random.random() < 0.2:
            for standing in machine.faults.standing:
                if (reset := standing.order.kind.reset) is not None:
                    machine.settings[standing.order.target, reset.quantity] = reset.value
        readings = machine.step(pulse)
        assert all(math.isfinite(value) for value in readings.values())
        assert len(machine.faults.standing) <= MOST
        if pulse % (WEEK // 14) < every:
            gc.collect()
            objects.append(len(gc.get_objects()))
    assert begun == set(FAULTS)
    # The history of what happened is full after a day or two; then it is as large as it gets.
    assert max(objects[-4:]) < max(objects[4:8]) + 500


_RESETS = {kind.reset.quantity for kind in FAULTS.values() if kind.reset is not None}
