"""Fetching the Python packages of an image, for its Python rather than this machine's."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from linacre.images.process import Tool
from linacre.images.recipe import Recipe

_MANYLINUX = ("2_28", "2_27", "2_17")


async def fetch_wheels(
    recipe: Recipe, *, downloads: Path, log: Path, report: Callable[[str], None]
) -> Path:
    """Return a folder with a wheel for each line of the recipe's requirements, and pip's own."""
    pins = b"".join(file.read_bytes() for file in recipe.requirements)
    key = hashlib.sha256(pins + recipe.python.encode()).hexdigest()
    folder = downloads / f"wheels-{recipe.python}-{key[:12]}"
    if folder.is_dir():
        return folder
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    report(f"image {recipe.name}: fetching Python packages")
    machine = platform.machine()
    platforms = [f"--platform=manylinux_{tag}_{machine}" for tag in _MANYLINUX]
    platforms.append(f"--platform=manylinux2014_{machine}")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--implementation=cp"),
        *("--python-version", recipe.python, *platforms),
        *("--dest", new, "pip"),
        *(word for file in recipe.requirements for word in ("--requirement", file)),
    ]
    await Tool(log=log).run(command, what="fetching Python packages")
    new.rename(folder)
    return folder
