"""Names and files of others: nothing leads out of the folder that they are to be in."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from changing_folder import changing_to_a_link
from hypothesis import given
from hypothesis import strategies as st

from linacre.base.enclosed import (
    EnclosedFolder,
    UnsafeNameError,
    check_nesting,
    inner_path,
    link_target,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder beside which something is to stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("kept")
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def outside(place: Path) -> dict[str, str]:
    folder = place.parent / "outside"
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/etc/cron.d/x", "..", "../x", "a/../../x", "a/..", "./../x"),
        *("a\nb", "a\x1b[2J", "a\x00b", "x" * 256, "/".join(["x" * 200] * 30)),
        *("a\x9b2J", "a\u202eb", "a\udcff", "/".join("d" * 101)),
    ],
)
def test_a_name_that_leads_out_is_refused(name: str, place: Path) -> None:
    with pytest.raises(UnsafeNameError) as caught:
        inner_path(name)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    for act in (
        lambda path: EnclosedFolder(place).write(path, b"x", mode=0o644),
        lambda path: EnclosedFolder(place).link(path, "/etc"),
        lambda path: EnclosedFolder(place).remove(path),
    ):
        with pytest.raises((UnsafeNameError, ValueError)):
            act(PurePosixPath(name))
    assert outside(place) == {"kept": "kept"}


@pytest.mark.parametrize("target", ["", "x" * 5000, "a\nb", "a\x00b", "a\udcff"])
def test_a_link_that_leads_to_no_name_is_refused(target: str, place: Path) -> None:
    with pytest.raises(UnsafeNameError, match="is nothing that a link should lead to"):
        EnclosedFolder(place).link(PurePosixPath("l"), target)
    assert link_target("/anywhere/at all") == "/anywhere/at all"


@pytest.mark.parametrize(
    ("name", "path"), [("a", "a"), ("./a/b", "a/b"), ("...", "..."), ("a b/ü.db", "a b/ü.db")]
)
def test_an_ordinary_name_is_taken(name: str, path: str) -> None:
    assert inner_path(name) == PurePosixPath(path)


@given(st.text())
def test_whatever_the_name_it_stays_below(name: str) -> None:
    try:
        path = inner_path(name)
    except UnsafeNameError:
        return
    assert os.path.normpath(f"/top/{path}").startswith("/top")


def test_files_are_written_whole_with_their_folders(place: Path) -> None:
    enclosed = EnclosedFolder(place)
    enclosed.write(PurePosixPath("a/b/st.cmd"), b"iocInit()\n", mode=0o755)
    enclosed.link(PurePosixPath("a/db"), "../db")
    enclosed.write(PurePosixPath("a/b/st.cmd"), b"# newer\n", mode=0o644)
    assert (place / "a/b/st.cmd").read_bytes() == b"# newer\n"
    assert (place / "a/b/st.cmd").stat().st_mode & 0o777 == 0o644
    assert (place / "a/db").readlink() == Path("../db")
    enclosed.remove(PurePosixPath("a/b/st.cmd"))
    enclosed.remove(PurePosixPath("none/at/all"))
    assert not [path for path in place.rglob("*") if path.is_file()]


def test_a_link_on_the_way_is_not_followed(place: Path) -> None:
    (place / "d").symlink_to("../outside")
    (place / "sub").mkdir()
    (place / "sub/e").symlink_to(place.parent / "outside")
    enclosed = EnclosedFolder(place)
    for name in ("d/x", "sub/e/x", "d/new/x"):
        with pytest.raises(UnsafeNameError, match=r"is behind [de], a link"):
            enclosed.write(PurePosixPath(name), b"x", mode=0o644)
        with pytest.raises(UnsafeNameError):
            enclosed.link(PurePosixPath(name), "/etc")
    with pytest.raises(UnsafeNameError):
        enclosed.remove(PurePosixPath("d/kept"))
    assert outside(place) == {"kept": "kept"}
    # The link itself is a file like others.
    enclosed.write(PurePosixPath("d"), b"x", mode=0o644)
    assert (place / "d").read_bytes() == b"x" and not (place / "d").is_symlink()


def test_a_file_that_is_there_is_not_written_through(place: Path) -> None:
    """One that is a link, or another name of a file elsewhere, is replaced."""
    (place / "soft").symlink_to("../outside/kept")
    (place / "hard").hardlink_to(place.parent / "outside/kept")
    for name in ("soft", "hard"):
        EnclosedFolder(place).write(PurePosixPath(name), b"new", mode=0o644)
    assert outside(place) == {"kept": "kept"}


def test_a_folder_that_changes_to_a_link_meanwhile_leads_nowhere(place: Path) -> None:
    """Somebody inside changes it back and forth while files are written."""
    (place / "d").mkdir()
    written = 0
    with changing_to_a_link(place / "d", "../outside"):
        for number in range(400):
            with suppress(UnsafeNameError, OSError):
                EnclosedFolder(place).write(PurePosixPath("d/x"), b"%d" % number, mode=0o644)
                written += 1
    assert written
    assert outside(place) == {"kept": "kept"}


def test_what_cannot_be_written_is_named_with_its_whole_path(place: Path) -> None:
    (place / "a").mkdir()
    (place / "file").write_text("x")
    for name in ("a", "file/x"):
        with pytest.raises(OSError) as caught:
            EnclosedFolder(place).write(PurePosixPath(name), b"x", mode=0o644)
        assert caught.value.filename == str(place / name)
    assert sorted(path.name for path in place.iterdir()) == ["a", "file"]


def test_a_file_in_a_file_is_refused() -> None:
    check_nesting(map(PurePosixPath, ("a/b", "a/c", "ab")))
    with pytest.raises(UnsafeNameError, match="a/b is to be in a, which is no folder"):
        check_nesting(map(PurePosixPath, ("a", "a/b")))
