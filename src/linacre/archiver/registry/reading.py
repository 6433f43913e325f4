"""Reading a registry beside the archiver that has it open: from a private copy, as of one instant.

The archiver has its file alone, see `RegistryFile`. Its log (SQLite's WAL) makes a copy of both
consistent without any lock: a checkpoint moves into the file what the log holds, so as long as it
is the same log before and after, whatever was torn in the file is whole in the log.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linacre.archiver.errors import DamagedError
from linacre.base.errors import LinacreError, UserError

VERSION = 1
"""Of the tables; in `PRAGMA user_version`."""
_LOG_HEADER = 32
_TRIES = 20
_SETTLED_NS = 50_000_000
"""A file's time changes in steps; what changed less long ago may change unseen."""


@dataclass(frozen=True)
class _Stamp:
    """What changes with each change of a registry."""

    file: tuple[int, int, int]
    log: tuple[int, int, int]
    log_header: bytes
    """Its salt is another one each time the log begins anew."""

    @property
    def newest_ns(self) -> int:
        return max(self.file[1], self.log[1])


class RegistryReader:
    """A registry to read only, whether or not an archiver runs on it; any thread may call.

    Each read sees what was committed before. Raises `LinacreError` where the file cannot be read,
    `UserError` where its format is newer, `DamagedError` where it is found damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._connection: sqlite3.Connection | None = None
        self._refreshed()

    def read(self, sql: str, *arguments: object) -> list[Any]:
        """Return the rows of a query."""
        with self._lock:
            try:
                return self._refreshed().execute(sql, arguments).fetchall()
            except sqlite3.DatabaseError as error:
                raise DamagedError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """Drop the copy; a read takes another one."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._stamp = None

    def _refreshed(self) -> sqlite3.Connection:
        try:
            stamp = _stamp_of(self.path)
            if self._connection is None or stamp != self._stamp:
                stamp, opened = _open_copy(self.path, stamp)
                self._close()
                self._connection = opened
                settled = time.time_ns() - stamp.newest_ns > _SETTLED_NS
                self._stamp = stamp if settled else None
        except (OSError, sqlite3.Error) as error:
            raise LinacreError(f"cannot read {self.path}: {error}") from error
        return self._connection


def _open_copy(path: Path, stamp: _Stamp) -> tuple[_Stamp, sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="linacre-registry-") as folder:
        copy = Path(folder) / path.name
        stamp = _copy_as_one(path, copy, stamp)
        connection = sqlite3.connect(copy, check_same_thread=False)
        try:
            # It stays open when the folder goes, and needs no file more.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise UserError(f"{path} was written by a newer Linacre (format {version})")
            connection.execute("SELECT 1 FROM channels LIMIT 1").fetchone()
        except BaseException:
            connection.close()
            raise
    return stamp, connection


def _copy_as_one(path: Path, copy: Path, stamp: _Stamp) -> _Stamp:
    """Copy the file, then its log, until the log was the same one all the time."""
    for _ in range(_TRIES):
        shutil.copyfile(path, copy)
        log = _log_of(copy)
        try:
            shutil.copyfile(_log_of(path), log)
        except FileNotFoundError:
            log.unlink(missing_ok=True)
        now = _stamp_of(path)
        if now == stamp or (now.log_header == stamp.log_header != b""):
            return stamp
        stamp = now
    raise OSError("it changes all the time")


def _stamp_of(path: Path) -> _Stamp:
    try:
        with _log_of(path).open("rb") as log:
            header, of_log = log.read(_LOG_HEADER), _facts(os.fstat(log.fileno()))
    except FileNotFoundError:
        header, of_log = b"", (0, 0, 0)
    return _Stamp(_facts(path.stat()), of_log, header)


def _facts(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _log_of(path: Path) -> Path:
    return Path(f"{path}-wal")
