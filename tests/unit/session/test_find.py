"""Which facility a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.session.find import FacilityChoice, find_facility


def nothing_up() -> list[str]:
    return []


def never_asked() -> list[str]:
    raise AssertionError("what is up does not matter here")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "clara/iocs/deep").mkdir(parents=True)
    (tmp_path / "clara/facility.yaml").touch()
    (tmp_path / "other").mkdir()
    return tmp_path


def test_given_file(site: Path) -> None:
    file = site / "clara/facility.yaml"
    assert find_facility(file, here=site, up=never_asked) == FacilityChoice(file=file)


def test_given_file_that_is_not_there_is_left_to_the_loader(site: Path) -> None:
    file = site / "gone.yaml"
    assert find_facility(file, here=site, up=never_asked) == FacilityChoice(file=file)


def test_given_folder(site: Path) -> None:
    found = find_facility(site / "clara", here=site, up=never_asked)
    assert found.file == site / "clara/facility.yaml"


def test_given_folder_wins_over_the_current_one(site: Path) -> None:
    (site / "other/facility.yaml").touch()
    found = find_facility(site / "other", here=site / "clara", up=never_asked)
    assert found.file == site / "other/facility.yaml"


def test_given_folder_without_a_facility(site: Path) -> None:
    with pytest.raises(UserError, match=r"other holds no facility\.yaml; write the folder"):
        find_facility(site / "other", here=site, up=never_asked)


def test_given_folder_with_a_file_of_another_name(site: Path) -> None:
    (site / "other/lab.yaml").touch()
    with pytest.raises(UserError, match=r"write -f .*other/lab\.yaml"):
        find_facility(site / "other", here=site, up=never_asked)


@pytest.mark.parametrize("here", ["clara", "clara/iocs", "clara/iocs/deep"])
def test_file_here_or_above(site: Path, here: str) -> None:
    found = find_facility(None, here=site / here, up=never_asked)
    assert found.file is not None
    assert found.file.samefile(site / "clara/facility.yaml")


def test_file_above_a_relative_folder(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site / "clara/iocs")
    found = find_facility(None, here=Path(), up=never_asked)
    assert found.file is not None
    assert found.file.samefile(site / "clara/facility.yaml")


def test_only_facility_that_is_up(site: Path) -> None:
    found = find_facility(None, here=site / "other", up=lambda: ["clara"])
    assert found == FacilityChoice(name="clara")


def test_several_up_are_listed(site: Path) -> None:
    with pytest.raises(UserError, match=r"2 facilities are up \(clara, vela\); write -f") as caught:
        find_facility(None, here=site / "other", up=lambda: ["vela", "clara"])
    assert caught.value.exit_status == 2


def test_none_at_all(site: Path) -> None:
    with pytest.raises(UserError, match="no facility is up; write -f FILE"):
        find_facility(None, here=site / "other", up=nothing_up)
