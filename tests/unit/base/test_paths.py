"""Where Linacre keeps its files, as the environment says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.base.paths import StatePaths


def test_a_folder_need_not_be_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "new/folder"):
        assert StatePaths.from_environment({"LINACRE_STATE": str(folder)}).root == folder
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path)
    assert StatePaths.from_environment({"LINACRE_STATE": str(linked)}).root == linked


@pytest.mark.parametrize(
    "place", ["/dev/null", "/dev/null/state", "{}/file", "{}/file/x", "{}/nowhere"]
)
def test_what_is_no_folder_is_told_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("gone")
    given = place.format(tmp_path)
    with pytest.raises(UserError) as caught:
        StatePaths.from_environment({"LINACRE_STATE": given})
    wrong = given.removesuffix("/x").removesuffix("/state")
    assert str(caught.value) == (
        f"{wrong} is no folder, and LINACRE_STATE has Linacre keep its files there: set "
        "LINACRE_STATE to a folder, which is made where it is not there"
    )


def test_the_usual_place_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UserError, match="/dev/null is no folder, and XDG_STATE_HOME has"):
        StatePaths.from_environment({"XDG_STATE_HOME": "/dev/null"})
    monkeypatch.setenv("HOME", "/dev/null")
    with pytest.raises(UserError, match="/dev/null is no folder, and HOME has"):
        StatePaths.from_environment({})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StatePaths.from_environment({}).root == tmp_path / ".local/state/linacre"
