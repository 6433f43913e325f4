"""The mark is read from the file where that can be read, else it is what the last up found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linacre.session.autostart import is_marked
from linacre.session.state import FacilityNote, Standing


def note(file: Path, *, autostart: bool) -> FacilityNote:
    return FacilityNote(
        facility="trial", file=file, engine="incus", standing=Standing.UP, autostart=autostart
    )


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("facility: trial\nautostart: true\n", True),
        ("facility: trial\nautostart: false\n", False),
        ("facility: trial\n", False),
        ("facility: trial\nautostart:\n", False),
        # What is wrong elsewhere in the file is for `up` to say.
        ("facility: trial\nautostart: true\niocs: {broken: {kind: nothing}}\n", True),
    ],
)
async def test_the_file_has_the_last_word(tmp_path: Path, text: str, marked: bool) -> None:
    file = tmp_path / "facility.yaml"
    file.write_text(text)
    said: list[str] = []
    assert await is_marked(note(file, autostart=not marked), say=said.append) is marked
    assert said == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("facility: [trial\n", "is no facility file now"),
        ("", "is no facility file now"),
        ("facility: other\nautostart: false\n", "is not trial's file now"),
        ("facility: trial\nautostart: maybe\n", "says neither true nor false at autostart"),
        (None, "cannot be read: no such file or directory"),
    ],
)
@pytest.mark.parametrize("autostart", [True, False])
async def test_without_a_file_the_last_up_counts(
    tmp_path: Path, text: str | None, why: str, autostart: bool
) -> None:
    file = tmp_path / "facility.yaml"
    if text is not None:
        file.write_text(text)
    said: list[str] = []
    assert await is_marked(note(file, autostart=autostart), say=said.append) is autostart
    found = "marked" if autostart else "not marked"
    assert said == [f"trial: {file} {why}; at its last up it was {found} autostart"]


async def test_a_file_that_hangs_holds_nobody(tmp_path: Path) -> None:
    file = tmp_path / "facility.yaml"
    os.mkfifo(file)
    said: list[str] = []
    assert await is_marked(note(file, autostart=True), say=said.append, limit_s=0.2)
    assert len(said) == 1
    assert "cannot be read: nothing came in 0.2 s" in said[0]
