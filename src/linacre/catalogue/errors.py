"""One clear line for what a database says."""

from __future__ import annotations

import re
import sqlite3

from sqlalchemy.exc import DBAPIError

from linacre.base.errors import LinacreError
from linacre.base.log import redact_text

_AGAIN = "run the command again"
_FULL = f"cannot be written, the disk is full or at a quota: make room and {_AGAIN}"
_BUSY = f"is held by another program for too long: {_AGAIN}"
_DAMAGED = (
    "is damaged: linacre catalogue rebuild sets it aside and makes it anew from the engine;"
    " machines are not touched"
)
_UNREADABLE = re.compile(
    "Could not decode to UTF-8|no such (table|column)|database disk image is malformed"
)
"""What is said of damage without a code of its own."""
_NOT_YOURS = "may not be written by this user"

_SQLITE = {
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR_WRITE": _FULL,
    # Reading needs room too: readers and writers meet in a small file beside the database.
    "SQLITE_IOERR_SHMSIZE": _FULL,
    "SQLITE_IOERR": "cannot be read or written: look at the disk",
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CANTOPEN": "cannot be opened: see that its folder exists and that you may write there",
    "SQLITE_READONLY": f"{_NOT_YOURS}: run as the user that owns it",
    "SQLITE_PERM": f"{_NOT_YOURS}: run as the user that owns it",
    "SQLITE_BUSY": _BUSY,
}

_STARTS = f"is not ready, its server starts or stops: {_AGAIN} when it is"
_CUT = f"was cut off by its server, machines are not touched: {_AGAIN} when it is back"
_TOO_MANY = "has no connection free: end other programs' or raise its server's max_connections"
_POSTGRESQL = {
    "08": _CUT,
    "25006": "may only be read, its server is a standby or set to read-only: give the URL of the"
    " one that is written to",
    "25P03": _CUT,
    "40": _BUSY,
    "42501": f"{_NOT_YOURS}: make it the owner of the database",
    "53100": _FULL,
    "53300": _TOO_MANY,
    "55P03": _BUSY,
    "57014": _BUSY,
    "57P01": _CUT,
    "57P02": _CUT,
    "57P03": _STARTS,
    "57P05": _CUT,
    "XX001": "is damaged: restore it from a backup; machines are not touched",
    "XX002": "is damaged: restore it from a backup; machines are not touched",
}

_NO_PASSWORD = (
    "refused the user or its password: write the password into ~/.pgpass, or see the server's"
    " pg_hba.conf"
)
_CONNECTING = (
    ("password authentication failed|no password supplied|pg_hba|authentication", _NO_PASSWORD),
    ('role ".*" does not exist', "knows no such user: create it there, or give another in the URL"),
    ('database ".*" does not exist', "is not there: create the database with createdb"),
    ("permission denied for database", "may not be used by this user: grant it CONNECT there"),
    ("starting up|shutting down|recovery mode", _STARTS),
    ("too many clients|remaining connection slots|too many connections", _TOO_MANY),
    (
        "timeout expired|timed out",
        "did not answer in time: see that its server runs and is reached",
    ),
    (
        "resolve host|could not translate host",
        "cannot be reached, its host has no address: see the URL's host",
    ),
    (
        "Connection refused|No such file or directory|No route|unreachable",
        "cannot be reached: see that its server runs, and the URL's host and port",
    ),
    ("invalid connection option", "has an option in its URL that is not one of PostgreSQL's"),
)


class UnreadableError(ValueError):
    """What stands in a catalogue is nothing that is ever written there: it is damaged."""


def clear_error(error: DBAPIError, place: str) -> LinacreError:
    """Return one line that says what a database error means and what to do.

    `place` is the file, or the URL without its password.
    """
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        said = _sqlite(cause)
    else:
        said = _postgresql(cause, lost=error.connection_invalidated)
    if said is None:
        said = f"refused: {redact_text(' '.join(str(cause).split()))}"
    return LinacreError(f"the catalogue {place} {said}")


def is_damage(error: DBAPIError) -> bool:
    """Tell whether an error says that a catalogue's file is damaged."""
    return isinstance(error.orig, sqlite3.Error) and _sqlite(error.orig) == _DAMAGED


def damage_at(place: str) -> LinacreError:
    """Return the line for a catalogue that is damaged; `place` is as above."""
    return LinacreError(f"the catalogue {place} {_DAMAGED}")


def _sqlite(cause: sqlite3.Error) -> str | None:
    if _UNREADABLE.match(str(cause)):
        return _DAMAGED
    code = getattr(cause, "sqlite_errorname", "")
    # Extended codes add a part: SQLITE_BUSY_SNAPSHOT is a SQLITE_BUSY.
    while code and code not in _SQLITE:
        code = code.rpartition("_")[0]
    return _SQLITE.get(code)


def _postgresql(cause: BaseException | None, *, lost: bool) -> str | None:
    code = getattr(cause, "sqlstate", None) or ""
    # The first two characters of a code are its class.
    if said := _POSTGRESQL.get(code) or _POSTGRESQL.get(code[:2]):
        return said
    if lost:
        return _CUT
    # What fails before there is a connection has no code.
    texts = (said for found, said in _CONNECTING if not code and re.search(found, str(cause)))
    return next(texts, None)
