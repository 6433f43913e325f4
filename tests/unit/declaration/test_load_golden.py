"""Facility files and what is read from them, or said of them.

`LINACRE_GOLDEN=write pytest tests/unit/declaration/test_load_golden.py` makes the expected files
anew; look at the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linacre.declaration.load import LoadError, load

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("LINACRE_GOLDEN") == "write"


def compare(expected: Path, found: str) -> None:
    if WRITE:
        expected.write_text(found)
    assert found == expected.read_text()


@pytest.fixture(autouse=True)
def in_golden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("bad_*.yaml")))
def test_bad_file_is_refused_in_these_words(name: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(Path(f"{name}.yaml"))
    message = str(caught.value).replace(str(GOLDEN), "GOLDEN")
    for line in message.splitlines():
        assert line.startswith(f"{name}.yaml:")
        assert "Input" not in line
        assert "pydantic" not in line
        assert "hunter2" not in line
        assert "secret@" not in line
    compare(GOLDEN / f"{name}.txt", message + "\n")


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("good_*.yaml")))
def test_good_file_is_read_as(name: str) -> None:
    facility = load(Path(f"{name}.yaml")).facility
    compare(GOLDEN / f"{name}.json", facility.model_dump_json(indent=2) + "\n")


def test_every_golden_file_has_its_input() -> None:
    stems = {p.stem for p in GOLDEN.iterdir() if p.suffix in (".txt", ".json")}
    assert stems == {p.stem for p in GOLDEN.glob("*.yaml")}
