"""One clear line for what a database says."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from linacre.base.errors import LinacreError

_FULL = "cannot be written, the disk is full or at a quota: make room and run the command again"

_BY_CODE = {
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR_WRITE": _FULL,
    # Reading needs room too: readers and writers meet in a small file beside the database.
    "SQLITE_IOERR_SHMSIZE": _FULL,
    "SQLITE_IOERR": "cannot be read or written: look at the disk",
    "SQLITE_CORRUPT": "is damaged: move it away and run the command again; the history in it is"
    " lost, machines are not touched",
    "SQLITE_NOTADB": "is not a catalogue: move it away and run the command again",
    "SQLITE_CANTOPEN": "cannot be opened: see that its folder exists and that you may write there",
    "SQLITE_READONLY": "may not be written by this user: run as the user that owns it",
    "SQLITE_PERM": "may not be written by this user: run as the user that owns it",
    "SQLITE_BUSY": "is held by another program for too long: run the command again",
}


def clear_error(error: DBAPIError, place: str) -> LinacreError:
    """Return one line that says what a database error means and what to do.

    `place` is the file, or the URL without its password.
    """
    cause = error.orig
    code = getattr(cause, "sqlite_errorname", "") if isinstance(cause, sqlite3.Error) else ""
    # Extended codes add a part: SQLITE_BUSY_SNAPSHOT is a SQLITE_BUSY.
    while code and code not in _BY_CODE:
        code = code.rpartition("_")[0]
    if code:
        return LinacreError(f"the catalogue {place} {_BY_CODE[code]}")
    said = " ".join(str(cause).split())
    return LinacreError(f"the catalogue {place} refused: {said}")
