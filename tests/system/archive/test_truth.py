"""`linacre bench truth`, small: an IOC's own log and the archive agree, or it is told why not."""

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
REFUSED = {"ahead", "before_1991", "future", "not_increasing", "past"}


def bench(folder: Path, *argv: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks" / "truth.py"), "--folder", str(folder)]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "LINACRE_STATE": str(folder / "state"),
    }
    done = subprocess.run(
        [*command, *argv], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)["runs"][0]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_channel_access(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "ca", "-n", "68000", "--copies", "1", "--restarts", "1")["ca"]
    assert (found["wrong"], found["named"], found["late"]) == (0, [], [])
    assert found["sent"] == found["archived"] + sum(found["missing"].values())
    assert found["by_http"]["wrong"] == 0
    assert set(found["missing"]) >= REFUSED
    assert found["missing"]["merged_by_server"] > 0


@pytest.mark.thorough
def test_pvaccess(tmp_path: Path) -> None:
    found = bench(tmp_path, "--only", "pva", "-n", "45000", "--copies", "1", "--restarts", "1")[
        "pva"
    ]
    assert (found["wrong"], found["named"], found["late"]) == (0, [], [])
    assert found["sent"] == found["archived"] + sum(found["missing"].values())
    assert found["by_http"]["wrong"] == 0
    assert set(found["missing"]) >= REFUSED
