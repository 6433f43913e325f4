import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.images.apt import index_records, planned_packages
from linacre.images.build import BuiltImage, build_image, clear
from linacre.images.process import Tool
from linacre.images.recipe import Recipe


async def test_an_image_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    recipe = Recipe.load()
    (tmp_path / recipe.digest()).mkdir()
    said: list[str] = []
    built = await build_image(
        recipe, images=tmp_path, downloads=tmp_path / "downloads", report=said.append
    )
    assert built.path == tmp_path / recipe.digest()
    assert (built.seconds_download, built.seconds_build, said) == (0, 0, [])
    assert not (tmp_path / "downloads").exists()


async def test_who_is_not_root_is_told_what_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UserError, match=r"needs root.*process engine"):
        await build_image(Recipe.load(), images=tmp_path, downloads=tmp_path, report=print)
    assert list(tmp_path.iterdir()) == []


async def test_two_at_once_build_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[BuiltImage] = []
    second_waits = asyncio.Event()

    async def build_slowly(recipe: Recipe, built: BuiltImage, **_: object) -> BuiltImage:
        builds.append(built)
        await second_waits.wait()
        built.path.mkdir()
        return built

    def report(line: str) -> None:
        assert line == "image: another build is under way; waiting for it"
        second_waits.set()

    monkeypatch.setattr("linacre.images.build._build", build_slowly)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    recipe = Recipe.load()
    folders = {"images": tmp_path / "images", "downloads": tmp_path / "downloads"}
    both = [build_image(recipe, **folders, report=report) for _ in range(2)]
    first, second = await asyncio.gather(*both)
    assert first == second
    assert len(builds) == 1


def test_a_half_built_folder_is_cleared(tmp_path: Path) -> None:
    work = tmp_path / ".building"
    (work / "root" / "etc").mkdir(parents=True)
    clear(work)
    clear(work)
    assert not work.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_mounts_left_in_a_half_built_folder_are_cleared(tmp_path: Path) -> None:
    work = tmp_path / ".building"
    point = work / "root" / "with space"
    point.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", point], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    clear(work)
    assert not work.exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


async def test_a_failing_tool_is_one_line_with_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "echo fine; echo E: no such package; echo E: giving up; exit 3"
    with pytest.raises(LinacreError) as caught:
        await Tool(log=log).run(["sh", "-c", script], what="fetching packages")
    assert str(caught.value) == f"fetching packages failed: E: no such package (log: {log})"
    assert "giving up" in log.read_text()


async def test_a_missing_program_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LinacreError, match="there is no program no-such-tool here"):
        await Tool(log=tmp_path / "log").run(["no-such-tool"], what="packing")


def test_apts_plan_and_records_are_understood() -> None:
    plan = """\
Inst libc6 (2.41-12 Debian:13.1/stable, Debian-Security:13/stable-security [amd64])
Inst vim-tiny (2:9.1.1230-2 Debian:13.1/stable [amd64]) []
Inst tzdata (2025b-4 Debian:13.1/stable [all])
Conf libc6 (2.41-12 Debian:13.1/stable [amd64])
"""
    assert list(planned_packages(plan)) == [
        ("libc6", "2.41-12", "amd64"),
        ("vim-tiny", "2:9.1.1230-2", "amd64"),
        ("tzdata", "2025b-4", "all"),
    ]
    shown = "Package: a\nVersion: 1\nSize: 3\n\nPackage: a\nVersion: 1\nSize: 3\nX: again\n"
    assert index_records(shown) == {("a", "1"): "Package: a\nVersion: 1\nSize: 3"}
