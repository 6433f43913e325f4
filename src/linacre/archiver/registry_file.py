"""The registry's file: made, checked, copied, and restored from its copy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from linacre.archiver.model import NANOSECONDS
from linacre.base.errors import LinacreError, UserError

VERSION = 1
"""Of the tables; in `PRAGMA user_version`."""
_TABLES = """
CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS channels(
    pv TEXT PRIMARY KEY, provider TEXT NOT NULL, method TEXT NOT NULL, period_s REAL NOT NULL,
    fields TEXT NOT NULL, added_ns INTEGER NOT NULL, added_by TEXT NOT NULL,
    paused INTEGER NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS series(
    id INTEGER PRIMARY KEY, pv TEXT NOT NULL, kind TEXT NOT NULL, native TEXT NOT NULL,
    UNIQUE(pv, kind, native));
CREATE TABLE IF NOT EXISTS metadata(
    pv TEXT NOT NULL, time_ns INTEGER NOT NULL, detail TEXT NOT NULL,
    PRIMARY KEY(pv, time_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events(
    id INTEGER PRIMARY KEY, pv TEXT NOT NULL, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_of_pv ON events(pv, time_ns);
CREATE INDEX IF NOT EXISTS events_in_time ON events(time_ns);
CREATE TABLE IF NOT EXISTS erased(pv TEXT PRIMARY KEY, until_ns INTEGER NOT NULL) WITHOUT ROWID;
"""
_BESIDE = ("-wal", "-shm")


@dataclass(frozen=True)
class Opened:
    """A file that was opened, and what was done about its damage."""

    connection: sqlite3.Connection | None
    """None: only to be read."""
    repaired: str = ""
    is_new: bool = False
    """There was none before, and no copy of one."""


def open_file(path: Path, copy: Path, now_ns: int) -> Opened:
    """Open the file to write, or make it; a damaged one is set aside and its copy is taken.

    A file of a newer format raises `UserError`, one that cannot be opened `LinacreError`.
    """
    if not path.exists():
        if not copy.exists():
            return Opened(_open(path), is_new=True)
        repaired = f"{path.name} was not there; "
    else:
        try:
            return Opened(_open(path))
        except sqlite3.OperationalError as error:
            raise LinacreError(f"cannot open {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            repaired = f"{path.name} was damaged ({error}) and is set aside; "
        _set_aside(path, now_ns)
    if copy.exists():
        try:
            shutil.copyfile(copy, path)
            age = "what it told at the time of its copy"
            return Opened(_open(path), f"{repaired}made anew from {age} and from the samples")
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return Opened(_open(path), f"{repaired}made anew from the samples", is_new=True)


def _set_aside(path: Path, now_ns: int) -> None:
    at = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC).strftime("%Y%m%dT%H%M%SZ")
    for ending in ("", *_BESIDE):
        beside = Path(f"{path}{ending}")
        if beside.exists():
            beside.rename(f"{path}.damaged-{at}{ending}")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise UserError(
                f"{path} was written by a newer Linacre (format {version}, this one knows"
                f" {VERSION}): run that one on it"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the file to read only; one on a disk that cannot be written too.

    Raises `LinacreError` where it cannot be read, `UserError` where its format is newer.
    """
    refused: sqlite3.DatabaseError | None = None
    # The "wal-index" beside the file must be made to read it, which a read-only disk refuses.
    for more in ("", "&immutable=1"):
        uri = f"{path.absolute().as_uri()}?mode=ro{more}"
        connection = sqlite3.connect(uri, uri=True, timeout=10, check_same_thread=False)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute("SELECT 1 FROM channels LIMIT 1").fetchone()
        except sqlite3.DatabaseError as error:
            connection.close()
            refused = error
            continue
        if version > VERSION:
            connection.close()
            raise UserError(f"{path} was written by a newer Linacre (format {version})")
        return connection
    raise LinacreError(f"cannot read {path}: {refused}")


def copy_to(path: Path, copy: Path) -> None:
    """Copy the file as it is at one instant, whoever writes to it meanwhile."""
    new = copy.with_name(copy.name + ".new")
    new.unlink(missing_ok=True)
    with closing(open_to_read(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(new),))
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(copy)
