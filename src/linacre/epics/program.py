"""The softIoc program, compiled when Linacre was installed."""

from __future__ import annotations

import os
from pathlib import Path

from linacre.base.errors import LinacreError


def softioc_program(*, folder: Path = Path(__file__).parent / "bin") -> Path:
    """Return the softIoc program; raises `LinacreError` where it was not compiled."""
    program = folder / "softIoc"
    if not os.access(program, os.X_OK):
        raise LinacreError(
            f"there is no softIoc program at {program}: no C compiler was there when Linacre was "
            "installed; install g++ and then Linacre again"
        )
    return program
