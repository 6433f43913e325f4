"""Repositories that are too large, and servers that send nothing more: fetched by git itself."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from linacre.base.enclosed import Limits
from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import FacilityPaths
from linacre.base.processes import all_processes
from linacre.declaration import fetching
from linacre.declaration.models import GitSource
from linacre.declaration.sources import SourceTree, fetch

# Sends what the server says up to so many bytes, and then nothing more, for ever.
THROTTLE = """
import subprocess, sys
most, command = int(sys.argv[1]), sys.argv[-1]
server = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE)
while most > 0 and (data := server.stdout.read1(min(most, 65536))):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    most -= len(data)
if most == 0:
    import signal
    signal.pause()
"""


def git(folder: Path, *argv: str) -> None:
    settings = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "-C", str(folder), *settings, *argv], check=True, capture_output=True)


def commit(repository: Path, size: int) -> None:
    (repository / "st.cmd").write_bytes(os.urandom(size))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "another")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, 10)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_LARGEST", Limits(entries=1000, size_bytes=1 << 20))
    monkeypatch.setattr(fetching, "_PERIOD_S", 0.01)


async def get(tmp_path: Path, url: str) -> SourceTree:
    paths = FacilityPaths(tmp_path / "state")
    source = GitSource(git=url, revision="main")
    return await fetch(source, base=tmp_path, paths=paths, whose="IOC power")


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "state/sources").iterdir())


async def test_a_repository_that_is_too_large_is_not_kept(repository: Path, tmp_path: Path) -> None:
    url = f"file://{repository}"
    commit(repository, 2 << 20)
    told = r"IOC power: file://.* holds more than 1 MiB or 1,000 files with its history: not"
    with pytest.raises(UserError, match=told):
        await get(tmp_path, url)
    assert kept(tmp_path) == []


async def test_one_that_has_become_too_large_is_told(repository: Path, tmp_path: Path) -> None:
    url = f"file://{repository}"
    assert (await get(tmp_path, url)).origin
    commit(repository, 2 << 20)
    with pytest.raises(UserError, match="not fetched; name a smaller"):
        await get(tmp_path, url)


def through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, most: int) -> None:
    """Let git reach servers by a program that sends so many bytes of what they say."""
    script = tmp_path / "throttle.py"
    script.write_text(THROTTLE)
    words = [sys.executable, str(script), str(most)]
    monkeypatch.setenv("GIT_SSH_COMMAND", shlex.join(words))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")


def left(tmp_path: Path) -> list[str]:
    return [line for _, line in all_processes() if str(tmp_path) in line]


async def test_a_fetch_is_ended_while_more_than_is_taken_comes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, 4 << 20)
    through(monkeypatch, tmp_path, 3 << 20)
    with pytest.raises(UserError, match="holds more than 1 MiB"):
        await get(tmp_path, f"ssh://host{repository}")
    assert kept(tmp_path) == []
    assert left(tmp_path) == []


async def test_a_server_that_goes_silent_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SILENT_S", 0.5)
    through(monkeypatch, tmp_path, 100)
    with pytest.raises(LinacreError, match=r"nothing has come for 0 s: not fetched"):
        await get(tmp_path, f"ssh://host{repository}")
    assert kept(tmp_path) == []
    assert left(tmp_path) == []


async def test_a_server_that_goes_silent_keeps_nothing_from_starting(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"ssh://host{repository}"
    through(monkeypatch, tmp_path, 1 << 30)
    first = await get(tmp_path, url)
    commit(repository, 200_000)
    monkeypatch.setattr(fetching, "_SILENT_S", 0.5)
    through(monkeypatch, tmp_path, 100_000)
    assert await get(tmp_path, url) == first
    assert [*(tmp_path / "state/sources").rglob("tmp_*")] == []
    assert left(tmp_path) == []


async def test_no_fetch_takes_the_last_room(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(LinacreError, match=r"is to be left; make room there"):
        await get(tmp_path, f"file://{repository}")
    assert kept(tmp_path) == []


async def test_a_fetch_that_is_given_up_ends(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through(monkeypatch, tmp_path, 100)
    fetching_it = asyncio.ensure_future(get(tmp_path, f"ssh://host{repository}"))
    while not any("throttle.py" in line for line in left(tmp_path)):
        await asyncio.sleep(0.01)
    fetching_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching_it
    assert left(tmp_path) == []
