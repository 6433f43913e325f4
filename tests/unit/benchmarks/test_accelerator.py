"""The benchmark of the accelerator prints JSON, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks/accelerator.py"


def test_what_it_prints_is_json_with_a_row_for_each_kind_of_pulse() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "-n", "2"], capture_output=True, text=True, check=True
    )
    (run,) = json.loads(done.stdout)["runs"]
    assert len(run["pulse"]) == 5
    assert all(0 < row["median_ms"] <= row["longest_ms"] for row in run["pulse"].values())
    assert run["elements"] == 42
