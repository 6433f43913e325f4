"""A catalogue's file that is damaged beyond reading: moved aside, never removed."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Table

from linacre.base.errors import LinacreError
from linacre.catalogue.soundness import is_sound
from linacre.catalogue.tables import SCHEMA, VERSION_TABLE, metadata

_BESIDE = ("-wal", "-shm")
"""What SQLite keeps beside a file."""
_ELSEWHERE = ("BUSY", "LOCKED", "CANTOPEN", "IOERR", "PERM", "READONLY", "FULL", "NOMEM")
"""Errors of SQLite that are not the file's."""


def is_damaged(path: Path) -> bool:
    """Tell whether a file is no database, or one with damage in it; the whole file is read.

    Of a catalogue's own tables, damage is also a value that its column cannot hold, as text that
    is no UTF-8: to SQLite all bytes are text.
    """
    try:
        if not _says_known_formats(path):
            return True
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return True
            return _is_catalogue(database) and not _holds_sound_values(database)
    except UnicodeDecodeError:
        # SQLite's own message quotes a damaged schema, which then is no text.
        return True
    except OSError:
        return False
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_")
        return not name.startswith(_ELSEWHERE)


def _says_known_formats(path: Path) -> bool:
    """Whether SQLite would write and read it; else it says that one may not write."""
    with path.open("rb") as file:
        formats = file.read(20)[18:]
    return set(formats) <= {1, 2}


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


def _is_catalogue(database: sqlite3.Connection) -> bool:
    """Whether most of its tables are a catalogue's: another program's file stays where it is."""
    names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    return 2 * len(names & metadata.tables.keys()) > len(metadata.tables)


def _holds_sound_values(database: sqlite3.Connection) -> bool:
    (version,) = database.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() or ("",)
    if not isinstance(version, str) or not version.isdecimal():
        return False
    if version > SCHEMA:
        # A newer Linacre's, whose words are not known here.
        return True
    for table in metadata.sorted_tables:
        columns = _columns(database, table)
        if version == SCHEMA and len(columns) < len(table.columns):
            return False
        if columns and not _is_sound(database, table, columns):
            return False
    return True


def _columns(database: sqlite3.Connection, table: Table) -> list[Column[object]]:
    """Return those columns of a table that there are; an older catalogue has not all."""
    names = {row[1] for row in database.execute(f"PRAGMA table_info({table.name})")}
    return [column for column in table.columns if column.name in names]


def _is_sound(database: sqlite3.Connection, table: Table, columns: list[Column[object]]) -> bool:
    listed = ", ".join(f'"{column.name}"' for column in columns)
    rows = database.execute(f"SELECT {listed} FROM {table.name}")
    return all(all(map(is_sound, columns, row)) for row in rows)
