"""An archiver that is killed again and again loses nothing old, and repeats nothing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from linacre.archiver.reading.folder import open_reader

PROGRAM = Path(__file__).with_name("synthetic_archiver.py")
TICK_S = 0.01


@pytest.mark.parametrize("scale", [1, 1800])
def test_killed_again_and_again(tmp_path: Path, scale: int) -> None:
    """With 1800, an hour ends every two seconds: segments are written and merged."""
    chosen = random.Random(scale)
    origin = time.time()
    runs: list[tuple[float, float]] = []
    for _ in range(4):
        argv = [sys.executable, str(PROGRAM), str(tmp_path), str(scale), str(origin)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "READY\n"
        begun = time.time()
        time.sleep(chosen.uniform(1.2, 2.8))
        process.send_signal(signal.SIGKILL)
        runs.append((begun, time.time()))
        process.wait()
        assert process.stdout.read() == ""
        process.stdout.close()
    reader = open_reader(tmp_path)
    assert len(reader.pvs()) == 20
    tick_ns = int(TICK_S * scale * 1e9)
    for pv in reader.pvs():
        table = reader.samples(pv, 0, 2**62)
        k = table["value"].to_numpy()
        assert (table["time"].to_numpy() == k * tick_ns).all()
        assert (np.diff(k) > 0).all(), "in order, each once"
        for begun, killed in runs:
            first, last = (
                int((origin + (at - origin) * scale) * 1e9) // tick_ns for at in (begun, killed - 1)
            )
            inside = k[(k >= first) & (k <= last)]
            # The first tick or two may be older than the process.
            assert len(inside) >= last - first - 1, f"{pv}: {len(inside)} of {last - first}"
    assert list((tmp_path / "short" / "journal").iterdir())
