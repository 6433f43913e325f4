"""Small files of what is recorded on this host, each whole or as it was before."""

from __future__ import annotations

import os
from pathlib import Path


def write_record(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file in one stroke; it is on the disk when this returns."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(mode)
    temporary.replace(path)
