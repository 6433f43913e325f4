"""What unit tests of several layers share."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

SmallVolume = Callable[..., Path]


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[SmallVolume]:
    """Makes folders that are volumes of their own of a size, as `256k`, in memory."""
    with ExitStack() as stack:

        def make(size: str, folder: Path = tmp_path / "small", mode: str = "755") -> Path:
            folder.mkdir()
            stack.callback(folder.rmdir)
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode={mode}", "tmpfs", str(folder)]
            if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
                pytest.skip("a small tmpfs cannot be mounted here")
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield make
