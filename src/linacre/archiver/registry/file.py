"""The registry's file: made, checked, read and written, copied, and restored from its copy.

One connection has the file alone, and all threads share it. SQLite would otherwise keep an index
of its log in a file that is mapped into memory, and on a file system that writes each block to a
new place (btrfs, ZFS) a full disk then ends the process by SIGBUS. `RegistryReader` reads beside.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.registry.reading import VERSION
from linacre.archiver.registry.rows import Write
from linacre.base.errors import LinacreError, UserError

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
_MUCH_PAGES = 64
"""Fewer pages of deleted rows, 256 KiB, are left to what comes next."""
_LARGEST_LOG = 1 << 20
"""Bytes that the log may keep after what is in it has gone into the file."""


@dataclass(frozen=True)
class _Opened:
    """A file that was opened, and what was done about its damage."""

    connection: sqlite3.Connection
    repaired: str = ""
    is_new: bool = False
    """There was none before, and no copy of one."""


class RegistryFile:
    """The open file, to read and to write; any thread may call.

    Raises `DamagedError` for what is found damaged, `sqlite3.OperationalError` where a write finds
    no room; then nothing was written.
    """

    def __init__(self, path: Path, copy: Path, opened: _Opened) -> None:
        """Use `open`."""
        self.path = path
        self.is_new = opened.is_new
        self.repaired = opened.repaired
        """What was done about a damaged file when it was opened; empty: nothing."""
        self._copy = copy
        self._connection = opened.connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, copy: Path, now_ns: int) -> RegistryFile:
        """Open it, or make it; a damaged file is set aside and its copy is taken.

        A file of a newer format raises `UserError`, one that cannot be opened `LinacreError`.
        """
        try:
            return cls(path, copy, _open_file(path, copy, now_ns))
        except sqlite3.OperationalError as error:
            raise LinacreError(f"cannot open {path}: {error}") from error

    def read(self, sql: str, *arguments: object) -> list[Any]:
        """Return the rows of a query."""
        with self._lock:
            try:
                return self._connection.execute(sql, arguments).fetchall()
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error

    def write(self, writes: Iterable[Write]) -> None:
        """Make changes, all or none; they are safe on return."""
        with self._lock:
            try:
                _transact(self._connection, writes)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error

    def copy(self) -> None:
        """Make the copy anew from which a damaged file is restored; the old one serves till then.

        Raises `LinacreError` where there is no room.
        """
        new = self._copy.with_name(self._copy.name + ".new")
        try:
            new.unlink(missing_ok=True)
            with self._lock:
                self._connection.execute("VACUUM INTO ?", (str(new),))
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(self._copy)
        except (sqlite3.Error, OSError) as error:
            raise LinacreError(f"cannot copy {self.path}: {error}") from error

    def give_back(self) -> bool:
        """Give the disk the room of deleted rows, where that is much; tell whether it was.

        On a disk that has no room for the shorter file, all is left as it is.
        """
        with self._lock:
            try:
                pages, free = (
                    self._connection.execute(f"PRAGMA {each}").fetchone()[0]
                    for each in ("page_count", "freelist_count")
                )
                if free < _MUCH_PAGES or free * 4 < pages:
                    return False
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError:
                return False
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error
        return True

    def close(self) -> None:
        """Close it; again is no error."""
        with self._lock:
            self._connection.close()


def _transact(connection: sqlite3.Connection, writes: Iterable[Write]) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for write in writes:
            connection.execute(write.sql, write.arguments)


def _open_file(path: Path, copy: Path, now_ns: int) -> _Opened:
    if not path.exists():
        if not copy.exists():
            return _Opened(_open(path), is_new=True)
        repaired = f"{path.name} was not there; "
    else:
        try:
            return _Opened(_open(path))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            repaired = f"{path.name} was damaged ({error}) and is set aside; "
        _set_aside(path, now_ns)
    if copy.exists():
        try:
            shutil.copyfile(copy, path)
            age = "what it told at the time of its copy"
            return _Opened(_open(path), f"{repaired}made anew from {age} and from the samples")
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return _Opened(_open(path), f"{repaired}made anew from the samples", is_new=True)


def _set_aside(path: Path, now_ns: int) -> None:
    at = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC).strftime("%Y%m%dT%H%M%SZ")
    for ending in ("", *_BESIDE):
        beside = Path(f"{path}{ending}")
        if beside.exists():
            beside.rename(f"{path}.damaged-{at}{ending}")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise UserError(
                f"{path} was written by a newer Linacre (format {version}, this one knows"
                f" {VERSION}): run that one on it"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        if version < VERSION:
            connection.executescript(_TABLES)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection
