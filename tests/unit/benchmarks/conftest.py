from __future__ import annotations

import sys
from pathlib import Path

import pytest

# As `linacre bench` runs them: their folder is the first on the path.
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))


@pytest.fixture(autouse=True)
def state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder of the test's own: reports are written there on the way."""
    folder = tmp_path / "state"
    monkeypatch.setenv("LINACRE_STATE", str(folder))
    return folder
