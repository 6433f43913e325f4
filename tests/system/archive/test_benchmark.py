"""`linacre bench archive`, small: each part gives its figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def bench(folder: Path, *argv: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks" / "archive.py"), "--folder", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*command, *argv], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    return json.loads(done.stdout)["runs"][0]


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_reading_and_start_up(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "reading,startup", "--days", "0.1", "--others", "1,30")
    for others in (1, 30):
        figures = found["reading"][f"{others} others"]
        assert figures["archive"]["samples"] == 2.4 * 3600 * 10 + others * 144
        for way in ("reader", "http"):
            assert figures[way]["1 h, samples"]["rows"] == 36_001
            assert figures[way]["1 h, bins"]["rows"] == 1000
        assert 0 < figures["startup"]["cold"]["answer_s"] < figures["startup"]["cold"]["data_s"]


def test_sizes(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "size", "--days", "0.1")["size"]
    assert set(found) == {"counter", "reading", "temperature", "enum"}
    assert all(1 < each["bytes_a_sample"] < 12 for each in found.values())


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_events(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "events", "--seconds", "3", "--rate", "5000")["events"]
    assert found["missing"] == found["archiver"]["dropped"] == 0
    assert found["archiver"]["stored"] == pytest.approx(15_000, rel=0.3)
    assert found["archiver"]["cpu_us_an_event"] > 0
    assert found["callback"]["cpu_us_per_event"] < found["aioca"]["cpu_us_per_event"]


@pytest.mark.thorough
def test_waveforms(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "waveforms", "--seconds", "2")["waveforms"]
    assert found["1000 doubles"]["stored_hz"] == pytest.approx(100, rel=0.3)
    assert found["100000 doubles"]["stored_mb_s"] > 1
