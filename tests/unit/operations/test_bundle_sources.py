from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from linacre.base.paths import StatePaths
from linacre.declaration import sources
from linacre.images.bundle import PACKAGES, WHEELS, PartFiles
from linacre.images.bundle_contents import Checkout
from linacre.images.bundle_unpack import unpack
from linacre.operations import bundle
from linacre.session.session import Session, open_session


def git(folder: Path, *argv: str) -> str:
    author = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    done = subprocess.run(
        ["git", "-C", str(folder), *author, *argv], capture_output=True, text=True, check=True
    )
    return done.stdout


def commit(repository: Path, text: str) -> None:
    (repository / "st.cmd").write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", text)


def silent(_: str) -> None:
    pass


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed: apt-get install git")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "one")
    return folder


async def session_for(repository: Path, state: Path) -> Session:
    file = repository.parent / "facility.yaml"
    source = {"git": f"file://{repository}", "revision": "main"}
    ioc = {"kind": "softioc", "address": "10.62.1.11", "source": source}
    facility = {
        "facility": "trial",
        "engine": "process",
        "networks": {"controls": {"subnet": "10.62.1.0/24"}},
        "iocs": {"mag": ioc},
    }
    file.write_text(json.dumps(facility))
    return await open_session(file, state=StatePaths(state), folder=repository.parent)


async def fetched(session: Session) -> str:
    ioc = session.declaration.facility.iocs["mag"]
    assert ioc.source is not None
    tree = await sources.fetch(
        ioc.source, base=session.declaration.folder, paths=session.paths, whose="IOC mag"
    )
    return (tree.folder / "st.cmd").read_text()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a bundle hold no packages: they are fetched from far away."""

    async def none(_: Checkout, *, name: str = PACKAGES, **__: object) -> PartFiles:
        return PartFiles(name, "none", [])

    async def no_wheels(checkout: Checkout, **__: object) -> PartFiles:
        return await none(checkout, name=WHEELS)

    monkeypatch.setattr(bundle, "host_packages", none)
    monkeypatch.setattr(bundle, "python_packages", no_wheels)


async def packed(session: Session, tmp_path: Path, name: str) -> Path:
    file = tmp_path / name
    scratch = tmp_path / f"scratch-{name}"
    scratch.mkdir()
    await bundle.make_bundle(session, file, scratch=scratch, report=silent)
    return file


async def test_a_git_source_is_served_from_the_bundle_alone(
    repository: Path, tmp_path: Path
) -> None:
    here = await session_for(repository, tmp_path / "here")
    file = await packed(here, tmp_path, "one.bundle")
    there = await session_for(repository, tmp_path / "there")
    assert len(unpack(file, there.state)) == 1
    repository.rename(tmp_path / "away")
    assert await fetched(there) == "one"
    assert unpack(file, there.state) == []


async def test_a_later_bundle_brings_what_is_new(repository: Path, tmp_path: Path) -> None:
    here = await session_for(repository, tmp_path / "here")
    there = await session_for(repository, tmp_path / "there")
    unpack(await packed(here, tmp_path, "one.bundle"), there.state)
    assert await fetched(there) == "one"
    commit(repository, "two")
    # Whoever has it from a bundle asks nobody, even where somebody would answer.
    assert await fetched(there) == "one"
    unpack(await packed(here, tmp_path, "two.bundle"), there.state)
    assert await fetched(there) == "two"
    # Making a bundle there needs the server, and gets what it has.
    commit(repository, "three")
    await packed(there, tmp_path, "three.bundle")
    assert await fetched(there) == "three"


async def test_no_setting_of_this_machine_goes_into_a_bundle(
    repository: Path, tmp_path: Path
) -> None:
    here = await session_for(repository, tmp_path / "here")
    await fetched(here)
    mirror = next(here.paths.sources.glob("*.git"))
    git(mirror, "config", "http.extraHeader", "Authorization: hunter2")
    file = await packed(here, tmp_path, "one.bundle")
    assert b"hunter2" not in file.read_bytes()
