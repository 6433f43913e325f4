import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from linacre.base.errors import UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration.models import FolderSource, GitSource
from linacre.declaration.sources import fetch, source_files


def git(folder: Path, *argv: str) -> str:
    settings = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    argv = ("git", "-C", str(folder), *settings, *argv)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "iocs/power").mkdir(parents=True)
    (folder / "iocs/power/st.cmd").write_text("iocInit()\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    git(folder, "tag", "v1")
    return folder


def change(repository: Path, text: str) -> None:
    (repository / "iocs/power/st.cmd").write_text(text)
    git(repository, "commit", "--quiet", "-a", "-m", "another")


async def get(repository: Path, tmp_path: Path, revision: str, folder: str = "iocs/power"):
    source = GitSource(git=f"file://{repository}", revision=revision, folder=folder)
    paths = FacilityPaths(tmp_path / "state")
    return await fetch(source, base=tmp_path, paths=paths, whose="IOC power")


async def test_a_tag_is_fetched_and_stays_what_it_was(repository: Path, tmp_path: Path):
    tree = await get(repository, tmp_path, "v1")
    assert (tree.folder / "st.cmd").read_text() == "iocInit()\n"
    assert "v1" in tree.origin
    change(repository, "# newer\niocInit()\n")
    again = await get(repository, tmp_path, "v1")
    assert again == tree


async def test_a_branch_moves_and_leaves_the_earlier_files_alone(repository: Path, tmp_path: Path):
    first = await get(repository, tmp_path, "main")
    change(repository, "# newer\niocInit()\n")
    second = await get(repository, tmp_path, "main")
    assert (second.folder / "st.cmd").read_text().startswith("# newer")
    assert (first.folder / "st.cmd").read_text() == "iocInit()\n"


async def test_a_server_that_is_away_keeps_nothing_from_starting(repository: Path, tmp_path: Path):
    first = await get(repository, tmp_path, "main")
    repository.rename(tmp_path / "gone")
    assert await get(repository, tmp_path, "main") == first


async def test_a_revision_that_is_not_there_is_one_line(repository: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"IOC power: .* has no revision v9; write a tag"):
        await get(repository, tmp_path, "v9")


async def test_a_folder_that_is_not_there_is_one_line(repository: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"IOC power: .* has no folder iocs/none at v1"):
        await get(repository, tmp_path, "v1", folder="iocs/none")


@pytest.mark.parametrize("folder", ["evil", "evil/hostname.d", "iocs/out"])
async def test_a_folder_behind_a_link_of_the_repository_is_refused(
    repository: Path, tmp_path: Path, folder: str
):
    (repository / "evil").symlink_to("/etc")
    (repository / "iocs/out").symlink_to("../..")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "links")
    with pytest.raises(UserError, match=r"IOC power: the folder .* is not taken: .* is a link"):
        await get(repository, tmp_path, "main", folder=folder)


async def test_a_file_behind_a_link_that_leads_out_is_not_read(repository: Path, tmp_path: Path):
    (repository / "iocs/power/shadow").symlink_to("/etc/passwd")
    (repository / "iocs/power/st.linux").symlink_to("st.cmd")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "links")
    tree = await get(repository, tmp_path, "main")
    with pytest.raises(UserError, match=r"shadow of .* is a link that leads out of it"):
        tree.head(PurePosixPath("shadow"), limit=9)
    assert tree.head(PurePosixPath("st.linux"), limit=7) == b"iocInit"
    assert tree.head(PurePosixPath("none"), limit=9) is None
    # Laid into the machine they are links there.
    links = {str(each.path): each.link for each in source_files(tree.folder) if each.link}
    assert links == {"shadow": "/etc/passwd", "st.linux": "st.cmd"}


async def test_a_folder_source_is_where_the_file_says(tmp_path: Path):
    (tmp_path / "iocs").mkdir()
    source = FolderSource(folder="iocs")
    paths = FacilityPaths(tmp_path / "state")
    tree = await fetch(source, base=tmp_path, paths=paths, whose="IOC power")
    assert tree.folder == tmp_path / "iocs"


def test_files_keep_their_execute_bit_and_links_their_target(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/program").write_text("#!/bin/sh\n")
    (tmp_path / "bin/program").chmod(0o700)
    (tmp_path / "st.cmd").write_text("")
    (tmp_path / "latest").symlink_to("bin")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("")
    found = {str(each.path): (oct(each.mode), each.link) for each in source_files(tmp_path)}
    assert found == {
        "bin/program": ("0o755", None),
        "latest": ("0o777", "bin"),
        "st.cmd": ("0o644", None),
    }


def test_what_is_no_file_is_refused_by_its_name(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"pipe is no plain file"):
        list(source_files(tmp_path))
