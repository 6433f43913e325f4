"""The registry's file: made, checked, read and written, copied, and restored from its copy.

Reading has a connection of its own and waits for no writer. That takes a little room on the disk,
for what SQLite calls the wal-index. Where there is none, one connection has the file alone, which
needs no such index, until a write finds room again; who else reads sees the file without its log.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.registry_rows import Write
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
_READ_TIMEOUT_S = 1.0
"""Readers wait for no writer; only for one that has the file alone, and then they do without it."""


@dataclass(frozen=True)
class _Opened:
    """A file that was opened, and what was done about its damage."""

    connection: sqlite3.Connection
    repaired: str = ""
    is_new: bool = False
    """There was none before, and no copy of one."""
    alone: bool = False
    """No other connection may read it meanwhile."""


class RegistryFile:
    """The open file, to read and, unless it was opened to read, to write; any thread may call.

    Raises `DamagedError` for what is found damaged, `sqlite3.OperationalError` where a write finds
    no room; then nothing was written.
    """

    def __init__(self, path: Path, copy: Path, opened: _Opened | None) -> None:
        """Use `open` or `open_reader`."""
        self.path = path
        self.is_new = opened is not None and opened.is_new
        self.repaired = "" if opened is None else opened.repaired
        """What was done about a damaged file when it was opened; empty: nothing."""
        self._copy = copy
        self._alone = opened is not None and opened.alone
        self._writing = None if opened is None else opened.connection
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._reading = self._writing if self._alone and self._writing else open_to_read(path)

    @classmethod
    def open(cls, path: Path, copy: Path, now_ns: int) -> RegistryFile:
        """Open it, or make it; a damaged file is set aside and its copy is taken.

        A file of a newer format raises `UserError`, one that cannot be opened `LinacreError`.
        """
        return cls(path, copy, _open_file(path, copy, now_ns))

    @classmethod
    def open_reader(cls, path: Path) -> RegistryFile:
        """Open it to read only, beside a process that may be writing."""
        return cls(path, path, None)

    @property
    def writable(self) -> bool:
        """Whether it was opened to write too."""
        return self._writing is not None

    def read(self, sql: str, *arguments: object) -> list[Any]:
        """Return the rows of a query."""
        with self._read_lock:
            try:
                return self._reading.execute(sql, arguments).fetchall()
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error

    def write(self, writes: Iterable[Write]) -> None:
        """Make changes, all or none; they are safe on return."""
        with self._write_lock, ExitStack() as stack:
            if self._writing is None:
                return
            if self._alone:
                stack.enter_context(self._read_lock)
            try:
                _transact(self._writing, writes)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error
            if self._alone:
                self._share()

    def copy(self) -> None:
        """Make the copy anew from which a damaged file is restored; the old one serves till then.

        Raises `LinacreError` where there is no room.
        """
        try:
            if self._alone:
                raise OSError("no room")
            _copy_to(self.path, self._copy)
        except (sqlite3.Error, OSError) as error:
            raise LinacreError(f"cannot copy {self.path}: {error}") from error

    def close(self) -> None:
        """Close it; again is no error."""
        with self._write_lock, self._read_lock:
            self._reading.close()
            if self._writing is not None:
                self._writing.close()

    def _share(self) -> None:
        """Let others read the file again, now that there is room; both locks are held."""
        self._reading.close()
        try:
            writing = _open(self.path)
        except sqlite3.OperationalError:
            # Others were quicker to take the room.
            self._writing = self._reading = _open(self.path, alone=True)
            return
        self._writing, self._reading, self._alone = writing, open_to_read(self.path), False


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
        except sqlite3.OperationalError as error:
            return _open_alone(path, error)
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


def _open_alone(path: Path, error: sqlite3.OperationalError) -> _Opened:
    """Open a file without room for anything beside it."""
    try:
        return _Opened(_open(path, alone=True), alone=True)
    except sqlite3.DatabaseError:
        raise LinacreError(f"cannot open {path}: {error}") from error


def _set_aside(path: Path, now_ns: int) -> None:
    at = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC).strftime("%Y%m%dT%H%M%SZ")
    for ending in ("", *_BESIDE):
        beside = Path(f"{path}{ending}")
        if beside.exists():
            beside.rename(f"{path}.damaged-{at}{ending}")


def _open(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
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
        if version < VERSION:
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
        connection = sqlite3.connect(
            uri, uri=True, timeout=_READ_TIMEOUT_S, check_same_thread=False
        )
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


def _copy_to(path: Path, copy: Path) -> None:
    """Copy the file as it is at one instant, whoever writes to it meanwhile."""
    new = copy.with_name(copy.name + ".new")
    new.unlink(missing_ok=True)
    with closing(open_to_read(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(new),))
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(copy)
