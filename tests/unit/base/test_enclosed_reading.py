"""Reading below a folder, and what its files name outside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from changing_folder import changing_to_a_link

from linacre.base.enclosed import (
    Below,
    Kind,
    Limits,
    LinkOnWayError,
    TooMuchError,
    UnsafeNameError,
    head_of_named,
    read_given,
    read_named,
    walk,
)

LIMITS = Limits(entries=10, size_bytes=1000)
FILE = PurePosixPath("d/file")
_TRIES = 400


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place/d").mkdir(parents=True)
    (tmp_path / "place/d/file").write_text("0123456789")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    (tmp_path / "outside/secret").chmod(0o600)
    (tmp_path / "outside/shared").write_text("shared")
    return tmp_path / "place"


def test_a_file_is_read_whole_or_its_end(place: Path) -> None:
    with Below.of(place) as below:
        assert below.read(FILE, limit=10) == b"0123456789"
        assert below.tail(FILE, limit=3) == b"789"
        with pytest.raises(TooMuchError, match=r"place/d/file is larger than 9 bytes: not read"):
            below.read(FILE, limit=9)
        with pytest.raises(FileNotFoundError) as caught:
            below.read(PurePosixPath("d/none"), limit=9)
        assert caught.value.filename == str(place / "d/none")


def test_a_file_that_grows_meanwhile_is_bounded_too(place: Path) -> None:
    """One of proc(5) says that it is empty."""
    with Below.of(Path("/proc")) as below, pytest.raises(TooMuchError):
        below.read(PurePosixPath(f"{os.getpid()}/status"), limit=10)


def test_nothing_but_plain_files_without_links_is_opened(place: Path) -> None:
    (place / "link").symlink_to("d")
    (place / "d/link").symlink_to("file")
    os.mkfifo(place / "d/pipe")
    with Below.of(place) as below:
        for name in ("link/file", "d/link"):
            with pytest.raises(LinkOnWayError, match="is a link, which may lead anywhere"):
                below.read(PurePosixPath(name), limit=100)
        for name in ("d/pipe", "d", "."):
            with pytest.raises(UnsafeNameError, match="is no plain file"):
                below.read(PurePosixPath(name), limit=100)
        for name in ("../outside/secret", "/etc/passwd", "d/../d/file"):
            with pytest.raises(UnsafeNameError, match="does not lead below"):
                below.read(PurePosixPath(name), limit=100)


def test_nothing_stays_open(place: Path) -> None:
    (place / "d/deep").mkdir()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with Below.of(place) as below:
        below.folder(PurePosixPath("d/deep"))
        with pytest.raises(UnsafeNameError):
            below.read(PurePosixPath("d"), limit=1)
    with pytest.raises(TooMuchError):
        list(walk(place, Limits(entries=2, size_bytes=0)))
    assert next(walk(place, LIMITS)).path
    with pytest.raises(UnsafeNameError):
        read_named(place / "../outside/secret", top=place, limit=10, strict=True)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_tree_is_listed_in_order_and_bounded(place: Path) -> None:
    (place / "a").symlink_to("/etc")
    (place / ".git").mkdir()
    (place / ".git/config").write_text("")
    os.mkfifo(place / "pipe")
    found = [(str(each.path), each.kind, each.link) for each in walk(place, LIMITS, skip=[".git"])]
    assert found == [
        ("a", Kind.LINK, "/etc"),
        ("d", Kind.FOLDER, ""),
        ("pipe", Kind.OTHER, ""),
        ("d/file", Kind.FILE, ""),
    ]
    with pytest.raises(TooMuchError, match="holds more than 4 files"):
        list(walk(place, Limits(entries=4, size_bytes=1000)))
    with pytest.raises(TooMuchError, match="holds more than 0 MiB"):
        list(walk(place, Limits(entries=10, size_bytes=9)))


def test_what_is_named_outside_is_read_where_it_is_everybodys(place: Path) -> None:
    outside = place.parent / "outside"
    (place / "in").symlink_to("d/file")
    (place / "shared").symlink_to("../outside/shared")
    (place / "secret").symlink_to("../outside/secret")
    assert read_named(place / "in", top=place, limit=100) == b"0123456789"
    assert head_of_named(place / "shared", top=place, limit=2) == b"sh"
    with pytest.raises(UnsafeNameError, match="is a link that leads out of"):
        read_named(place / "shared", top=place, limit=100, strict=True)
    if os.geteuid() != 0:
        pytest.skip("what is this user's own is theirs to take")
    for path in (place / "secret", outside / "secret", place / "../outside/secret"):
        with pytest.raises(UnsafeNameError, match="not everybody may read"):
            read_named(path, top=place, limit=100)
    # A folder on the way that not everybody may enter.
    outside.chmod(0o700)
    with pytest.raises(UnsafeNameError, match=r"leads to .*shared, which not everybody may read"):
        read_named(place / "shared", top=place, limit=100)


def test_what_is_of_the_same_user_is_read(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    for path in (place, place.parent / "outside/secret"):
        os.chown(path, 1000, 1000)
    assert read_named(place.parent / "outside/secret", top=place, limit=100) == b"secret"
    os.chown(place, 1001, 1001)
    with pytest.raises(UnsafeNameError):
        read_named(place.parent / "outside/secret", top=place, limit=100)


def test_a_path_in_which_a_link_has_come_to_be_is_not_read(place: Path) -> None:
    assert read_given(place / "d/file", limit=100) == b"0123456789"
    (place / "d").rename(place / "away")
    (place / "d").symlink_to("away")
    with pytest.raises(LinkOnWayError):
        read_given(place / "d/file", limit=100)


@pytest.mark.parametrize("way", ["named", "given", "walk"])
def test_a_folder_that_changes_to_a_link_meanwhile_gives_nothing_away(
    place: Path, way: str
) -> None:
    """Somebody changes it back and forth while its files are read."""
    (place / "d/secret").write_text("own")
    found: set[object] = set()
    tries = 0
    with changing_to_a_link(place / "d", "../outside"):
        # On a busy host hundreds of looks may all fall into the link's turns.
        while tries < _TRIES or not found:
            tries += 1
            with suppress(UnsafeNameError, OSError):
                if way == "named":
                    found.add(read_named(place / "d/secret", top=place, limit=100, strict=True))
                elif way == "given":
                    found.add(read_given(place / "d/secret", limit=100))
                else:
                    found |= {each.path.name for each in walk(place, LIMITS)}
    assert found <= ({"d", "away", "file", "secret"} if way == "walk" else {b"own"})
