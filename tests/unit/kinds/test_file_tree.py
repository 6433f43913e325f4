"""Files out of a machine in which somebody is root: its `tar` may say what it likes."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import cast

import pytest

from linacre.base.errors import LinacreError
from linacre.engines.base import Completed, Engine, Output
from linacre.kinds.ioc import file_tree
from linacre.kinds.ioc.file_tree import TreeFile, folder_tree, lay_tree, tree_inside

TREE = PurePosixPath("/srv/ioc")


class EvilMachine:
    """An engine of which every command prints this."""

    def __init__(self, printed: bytes, *, status: int = 0) -> None:
        self._printed = printed
        self._status = status

    async def exec(self, machine: str, argv: Sequence[str], *, output: Output) -> Completed:
        assert argv[0] == "tar", machine
        for start in range(0, len(self._printed), 4096):
            output(1, self._printed[start : start + 4096])
        return Completed(self._status, b"", b"")


class SilentMachine:
    """An engine of which no command ends."""

    async def exec(self, machine: str, argv: Sequence[str], *, output: Output) -> Completed:
        await asyncio.Event().wait()
        raise AssertionError(machine)


async def test_a_tar_that_never_ends_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_tree, "_LONGEST_S", 0.01)
    with pytest.raises(LinacreError, match=r"the files of mag cannot be read: its tar has not"):
        await tree_inside(cast(Engine, SilentMachine()), "mag", TREE)


async def inside(printed: bytes) -> dict[str, TreeFile]:
    return await tree_inside(cast(Engine, EvilMachine(printed)), "mag", TREE)


def archive(*members: tarfile.TarInfo | str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for member in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = 4 if info.isreg() else 0
            opened.addfile(info, io.BytesIO(b"text") if info.isreg() else None)
    return buffer.getvalue()


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def device(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.devmajor, info.devminor = tarfile.BLKTYPE, 254, 0
    return info


async def test_files_and_links_are_taken_and_devices_left() -> None:
    found = await inside(archive("./st.cmd", link("./db", "../db"), device("./disk"), "./a/b"))
    assert {path: file.shown for path, file in found.items()} == {
        "st.cmd": b"text",
        "db": b"link to ../db\n",
        "a/b": b"text",
    }


@pytest.mark.parametrize(
    "members",
    [
        ("../../../etc/cron.d/x",),
        ("/etc/cron.d/x",),
        ("./a/../../x",),
        (link("./d", "/etc/cron.d"), "./d/x"),
        ("./d/x", link("./d", "/etc/cron.d")),
        ("./d", "./d/x"),
        ("./a\nb",),
    ],
)
async def test_names_that_lead_out_are_refused(members: tuple[tarfile.TarInfo | str, ...]) -> None:
    with pytest.raises(LinacreError, match=r"^the files of mag are not taken: [^\n]*--rebuild"):
        await inside(archive(*members))


@pytest.mark.parametrize("printed", [b"no archive", archive("./a")[:600], b"\xff" * 2048])
async def test_what_is_no_archive_is_told(printed: bytes) -> None:
    with pytest.raises(LinacreError, match="the files of mag are not taken: "):
        await inside(printed)


@pytest.mark.parametrize("target", ["a\nb", "a\x1b[2Jb", "x" * 5000])
async def test_a_link_that_leads_to_no_name_is_refused(target: str) -> None:
    with pytest.raises(LinacreError, match=r"^the files of mag are not taken: [^\n]* a link sho"):
        await inside(archive(link("./db", target)))


async def test_a_file_with_holes_counts_as_long_as_it_says(tmp_path: Path) -> None:
    """A few bytes of an archive would be 5 GiB in memory."""
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(5 << 30)
    argv = ["tar", "--create", "--file=-", "--sparse", f"--directory={tmp_path}", "."]
    printed = subprocess.run(argv, check=True, capture_output=True).stdout
    assert len(printed) < 100_000
    with pytest.raises(LinacreError, match="not taken: they hold more than 512 MiB; somebody"):
        await inside(printed)


async def test_headers_upon_headers_are_told() -> None:
    info = tarfile.TarInfo("./PaxHeaders/x")
    info.type, data = tarfile.XHDTYPE, b"6 a=b\n"
    info.size = len(data)
    piece = info.tobuf(tarfile.USTAR_FORMAT) + data.ljust(512, b"\0")
    with pytest.raises(LinacreError, match="the files of mag are not taken: "):
        await inside(piece * 5000 + archive("./a"))


async def test_files_without_end_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_tree, "_LARGEST_BYTES", 20_000)
    with pytest.raises(LinacreError, match="in mag holds more than 512 MiB"):
        await inside(bytes(30_000))
    monkeypatch.setattr(file_tree, "_LARGEST_BYTES", 1 << 20)
    monkeypatch.setattr(file_tree, "_MOST_FILES", 10)
    with pytest.raises(LinacreError, match="they are more than 10"):
        await inside(archive(*(f"./{number}" for number in range(11))))


def test_a_tree_that_was_kept_before_names_were_checked_is_not_laid(tmp_path: Path) -> None:
    place = tmp_path / "place"
    for name in ("../pwned", "/tmp/pwned", "a/../../pwned"):
        with pytest.raises(LinacreError, match="does not lead below its folder"):
            lay_tree(place, old={}, new={name: TreeFile(0o644, b"x")})
    with pytest.raises(LinacreError, match="d/x is to be in d"):
        new = {"d": TreeFile(0o777, link=str(tmp_path)), "d/x": TreeFile(0o644, b"x")}
        lay_tree(place, old={}, new=new)
    assert [*tmp_path.iterdir()] == []


def test_a_link_gives_way_to_a_folder_and_back(tmp_path: Path) -> None:
    linked = {"d": TreeFile(0o777, link="other")}
    filled = {"d/x": TreeFile(0o644, b"x")}
    lay_tree(tmp_path, old={}, new=linked)
    lay_tree(tmp_path, old=linked, new=filled)
    assert folder_tree(tmp_path) == filled


def test_a_folder_that_became_a_link_meanwhile_is_not_written_behind(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "place/d").symlink_to("../outside")
    with pytest.raises(LinacreError, match="a link, which may lead anywhere"):
        lay_tree(tmp_path / "place", old={}, new={"d/x": TreeFile(0o644, b"x")})
    assert [*(tmp_path / "outside").iterdir()] == []
