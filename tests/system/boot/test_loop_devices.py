"""Tools that run apart hold no file system of a facility: its loop device goes when it does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linacre.images.confined import confined


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system on a loop device."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    where, image = tmp_path / "a pool", tmp_path / "pool.img"
    where.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, where], check=False).returncode:
        pytest.skip("this environment has no loop devices")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=False, capture_output=True)


def attached(image: Path) -> bool:
    shown = subprocess.run(["losetup", "-j", image], check=True, capture_output=True, text=True)
    return bool(shown.stdout)


def test_a_pool_goes_while_a_tool_runs(pool: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        confined("sh", "-c", "echo ready; cat", work=tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tool:
        assert tool.stdout is not None
        assert tool.stdout.readline() == "ready\n"
        subprocess.run(["umount", pool], check=True)
        # What others run in a namespace of their own, such as `ip netns exec`, has it for a moment.
        end = time.monotonic() + 60
        while attached(tmp_path / "pool.img"):
            assert time.monotonic() < end, "the tool holds it"
            time.sleep(0.1)
        assert tool.poll() is None
        tool.communicate()
    assert tool.returncode == 0


def test_the_one_that_it_works_on_stays(pool: Path) -> None:
    (pool / "work").mkdir()
    done = subprocess.run(confined("touch", pool / "work/made", work=pool / "work"), check=False)
    assert done.returncode == 0
    assert (pool / "work/made").exists()
