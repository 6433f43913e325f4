"""Commands whose standard streams are closed, full or at their end: a plain line, and no more."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError
from linacre.base.paths import FacilityPaths
from linacre.catalogue import Catalogue
from linacre.cli import terminal
from linacre.cli.main import refused

COMMAND = (sys.executable, "-m", "linacre.cli.main")
QUICK = pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("schema",), ("task", "list")]
)


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    (tmp_path / "facility.yaml").write_text("facility: odd\nnetworks: {n: {subnet: 10.1.2.0/24}}\n")
    paths = FacilityPaths(tmp_path / "state/facilities/odd")
    paths.root.mkdir(parents=True)

    async def begin() -> None:
        async with await Catalogue.open(paths.catalogue, logs=paths.logs) as catalogue:
            await catalogue.begin_task(facility="odd", verb="up", steps=[])

    asyncio.run(begin())
    return tmp_path


def shell(facility: Path, command: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "LINACRE_DEBUG"}
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("linacre", " ".join(COMMAND), 1)],
        cwd=facility,
        env=kept | {"LINACRE_STATE": str(facility / "state"), **more},
        capture_output=True,
        text=True,
        timeout=60,
    )


def assert_plain(said: str) -> None:
    assert "unexpected" not in said and "Traceback" not in said and "Exception" not in said


@QUICK
def test_a_full_disk_is_told_in_a_line(facility: Path, arguments: tuple[str, ...]) -> None:
    done = shell(facility, f"linacre {' '.join(arguments)} > /dev/full")
    assert_plain(done.stderr)
    if done.returncode != 2:
        assert (done.returncode, done.stderr) == (
            1,
            "linacre: the output: no space left on device\n",
        )


@QUICK
@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_trouble(
    facility: Path, arguments: tuple[str, ...], closed: str
) -> None:
    done = shell(facility, f"linacre {' '.join(arguments)} {closed}")
    assert_plain(done.stderr + done.stdout)
    assert done.returncode in (0, 2)


def test_a_folder_that_is_gone_is_told(facility: Path) -> None:
    gone = facility / "gone"
    gone.mkdir()
    done = shell(facility, f"cd {gone} && rmdir {gone} && linacre status")
    assert (done.returncode, done.stderr) == (
        1,
        "linacre: the folder that this is run in is gone: go to another\n",
    )


def test_only_what_is_of_the_output_is_called_so() -> None:
    assert refused(OSError(errno.ENOSPC, "No space left")) == "the output: no space left"
    assert refused(OSError(errno.EMFILE, "Too many open files")) == "too many open files"
    assert refused(OSError(errno.EACCES, "Permission denied", "/x")) == "/x: permission denied"


def test_a_reader_that_has_gone(facility: Path) -> None:
    done = shell(facility, "linacre schema | true")
    assert_plain(done.stderr)


def test_a_state_folder_that_cannot_be_made(facility: Path) -> None:
    (facility / "file").write_text("")
    done = shell(facility, "linacre status", LINACRE_STATE=str(facility / "file"))
    assert_plain(done.stderr)
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "9" * 5000])
def test_a_task_that_cannot_be(facility: Path, number: str) -> None:
    done = shell(facility, f"linacre task show -- {number}")
    assert_plain(done.stderr)
    assert done.returncode == 2


class Console:
    """A far side that says nothing and never ends."""

    def __init__(self) -> None:
        self.taken = b""

    async def read(self) -> bytes:
        await asyncio.Event().wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.taken += data

    async def resize(self, columns: int, rows: int) -> None:
        raise LinacreError("there is no terminal")

    async def close(self) -> int:
        return 0


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    yield Console()


@pytest.mark.parametrize("source", ["/dev/null", "file", "pipe"])
async def test_a_console_ends_with_its_input(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "file").write_bytes(b"dbl\n")
    near = os.open(tmp_path / source, os.O_RDONLY) if source != "pipe" else -1
    if source == "pipe":
        near, far = os.pipe()
        os.write(far, b"dbl\n")
        os.close(far)
    with os.fdopen(near) as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        async with asyncio.timeout(10):
            assert await terminal.join(console, detach=True) == 0
    assert console.taken == (b"" if source == "/dev/null" else b"dbl\n")
