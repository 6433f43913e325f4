"""A catalogue's file that is damaged beyond reading: moved aside, never removed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from linacre.base.errors import LinacreError

_BESIDE = ("-wal", "-shm")
"""What SQLite keeps beside a file."""


def is_damaged(path: Path) -> bool:
    """Tell whether a file is no database, or one with damage in it; the whole file is read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def set_aside(path: Path) -> Path:
    """Move a damaged file away, with what SQLite keeps beside it; return where it is now."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        for ending in _BESIDE:
            beside = path.with_name(path.name + ending)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + ending))
        path.rename(aside)
    except OSError as error:
        raise LinacreError(f"{path} cannot be moved aside: {error.strerror}") from error
    return aside
