"""Killed again and again under load: each sample older than a second is there, exactly once."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from archive_support import Bench

from linacre.archiver.reading.folder import open_reader

PVS = 200
PERIOD_NS = 100_000_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.thorough)])
def test_kills(bench: Bench, kills: int) -> None:
    names = [f"K:{n}" for n in range(PVS)]
    bench.ioc(
        "".join(
            f'record(calc, "{name}") {{ field(SCAN, ".1 second") field(CALC, "VAL+1") }}\n'
            for name in names
        )
    )
    archiver = bench.archiver(*[word for name in names for word in ("--pv", name)])
    chosen = random.Random(1)
    runs: list[tuple[int, int]] = []
    for _ in range(kills):
        archiver.start()
        end = time.monotonic() + 20
        while archiver.get("")["connected"] < PVS:
            assert time.monotonic() < end, archiver.log()
        # A sample that was on its way when the last of them connected.
        begun = time.time_ns() + 2 * PERIOD_NS
        time.sleep(chosen.uniform(0.5, 3.0))
        killed = time.time_ns()
        archiver.kill()
        runs.append((begun, killed - 10**9))
    reader = open_reader(archiver.data)
    assert set(reader.pvs()) == set(names)
    for name in names:
        table = reader.samples(name, 0, 2**62)
        at, count = table["time"].to_numpy(), table["value"].to_numpy()
        assert (np.diff(at) > 0).all(), f"{name}: each once, in order"
        assert (np.diff(count) > 0).all(), name
        for begun, safe in runs:
            inside = (at > begun) & (at <= safe)
            if safe - begun > 2 * PERIOD_NS:
                assert (np.diff(count[inside]) == 1).all(), f"{name}: a gap"
                assert inside.sum() >= (safe - begun) // PERIOD_NS - 1, name
    assert "Traceback" not in archiver.log()
