"""How each kind of database is reached."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from linacre.base.errors import LinacreError, UserError

BUSY_TIMEOUT_S = 15
"""How long to wait for another program's transaction."""

_SCHEMA_LOCK = 0x4C494E41
_MIGRATION_TIMEOUT_S = 600
_POSTGRESQL = ("postgresql", "postgresql+psycopg", "postgres")
_LIBPQ = {
    "connect_timeout": "5",
    # A server whose host is gone says nothing: without these a query would wait for hours.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "linacre",
    "client_encoding": "utf8",
    "options": f"-c lock_timeout={BUSY_TIMEOUT_S}s -c idle_in_transaction_session_timeout=60s",
}
"""What libpq is told unless the URL says otherwise."""


def sql_engine(where: Path | str) -> Engine:
    """Return what connects to a database, a SQLite file or a URL; nothing is opened yet.

    Raises `UserError` for a URL of an unknown kind and `LinacreError` where there can be no file.
    """
    if isinstance(where, str) and "://" in where:
        url = _url(where)
        if url.drivername in _POSTGRESQL:
            return _postgresql(url.set(drivername="postgresql+psycopg"))
        where = Path(url.database or "")
    return _sqlite(Path(where).absolute())


def place(url: URL) -> str:
    """Return the file, or the URL without anything secret, for a message."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    shown = URL.create(
        "postgresql",
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={key: url.query[key] for key in ("host", "port", "service") if key in url.query},
    )
    return unquote(str(shown))


def hold_schema(connection: Connection) -> None:
    """Let no other process change the schema until this transaction ends.

    A transaction that writes to SQLite has that already.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_TIMEOUT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")


def _url(said: str) -> URL:
    kind = said.partition("://")[0]
    with contextlib.suppress(ArgumentError, ValueError):
        url = make_url(said)
        if url.drivername in ("sqlite", *_POSTGRESQL):
            return url
    raise UserError(
        f"the catalogue's URL ({kind}://...) is not one that is known: write"
        " postgresql://USER@HOST/DATABASE, or the path of a file"
    )


def _postgresql(url: URL) -> Engine:
    given = {key: value for key, value in _LIBPQ.items() if key not in url.query}
    try:
        return create_engine(
            url,
            # No prepared statements: a connection pooler between may not know them.
            connect_args=given | {"prepare_threshold": None},
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
        )
    except ImportError as error:
        raise UserError(
            f"the catalogue {place(url)} needs the Python package psycopg: run"
            " pip install 'linacre[postgresql]'"
        ) from error


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LinacreError(
            f"the catalogue's folder {path.parent} cannot be made: {error.strerror}"
        ) from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
        pool_size=1,
        max_overflow=0,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by us: sqlite3's own way begins them too late to wait for a writer.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    except UnicodeDecodeError as error:
        # SQLite's own message quotes the damaged schema, which then is no text.
        raise sqlite3.DatabaseError("database disk image is malformed") from error
    if mode != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the journal at each commit: a step that is journalled stays so in a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("linacre_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
