"""One connection to a database, used from one thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue.errors import clear_error
from linacre.catalogue.tables import SCHEMA, VERSION_TABLE

T = TypeVar("T")
AfterWrite = Callable[[int], None]

BUSY_TIMEOUT_S = 15.0


class Database:
    """A database that coroutines use: each call is one transaction on the database's thread.

    A call whose coroutine is cancelled may still take effect. Errors of the database are
    raised as `LinacreError` with one line.
    """

    def __init__(self, engine: Engine, *, after_write: AfterWrite | None) -> None:
        self._engine = engine
        self._after_write = after_write
        self._writes = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catalogue")

    @classmethod
    async def open(cls, where: Path | str, *, after_write: AfterWrite | None = None) -> Database:
        """Open a database file or URL at the schema of this program.

        A new database is made, an older one copied and migrated. `after_write` is called, on
        the database's thread, after each committed write with the number of writes so far.
        """
        database = cls(_engine(where), after_write=after_write)
        try:
            await database._call(database._bring_up_to_date)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Finish what is under way and close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query in a transaction of its own."""

        def run() -> T:
            with self._engine.connect() as connection:
                return query(connection)

        return await self._call(run)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run a change in a transaction; when this returns it is on the disk."""

        def run() -> T:
            with self._writing() as connection, connection.begin():
                result = change(connection)
            self._writes += 1
            if self._after_write:
                self._after_write(self._writes)
            return result

        return await self._call(run)

    def _writing(self) -> Connection:
        return self._engine.connect().execution_options(linacre_write=True)

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except DBAPIError as error:
            raise clear_error(error, place(self._engine.url)) from error

    def _bring_up_to_date(self) -> None:
        with self._engine.connect() as connection:
            if schema_of(connection) == SCHEMA:
                return
        from linacre.catalogue.migrate import migrate

        # Looked at again under the write lock: another process may have been quicker.
        with self._writing() as connection, connection.begin():
            found = schema_of(connection)
            if found != SCHEMA:
                migrate(connection, found=found)


def schema_of(connection: Connection) -> str | None:
    """Return the schema's revision, or None for an empty database.

    Raises `LinacreError` for a database that is not a catalogue or is newer than this program.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    where = place(connection.engine.url)
    found = None
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if not isinstance(found, str) or not found.isdecimal() or "task" not in tables:
        raise LinacreError(f"the catalogue {where} is another program's database: move it away")
    if found > SCHEMA:
        raise LinacreError(
            f"the catalogue {where} was written by a newer Linacre (schema {found}, this one"
            f" knows up to {SCHEMA}): use that Linacre"
        )
    return found


def place(url: URL) -> str:
    """Return the file, or the URL without its password, for a message."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def _engine(where: Path | str) -> Engine:
    if isinstance(where, str) and "://" in where:
        try:
            url = make_url(where)
            if url.get_backend_name() != "sqlite":
                return create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError) as error:
            raise UserError(f"the catalogue's URL is not one that is known: {error}") from error
        except ModuleNotFoundError as error:
            raise UserError(
                f"the catalogue {place(make_url(where))} needs the Python package {error.name}:"
                " install it beside Linacre"
            ) from error
        where = Path(url.database or "")
    path = Path(where).absolute()
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
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the journal at each commit: a step that is journalled stays so in a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("linacre_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
