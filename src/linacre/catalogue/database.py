"""One connection to a database, used from one thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from linacre.base.errors import LinacreError
from linacre.catalogue.connect import hold_schema, place, sql_engine
from linacre.catalogue.errors import UnreadableError, clear_error, damage_at
from linacre.catalogue.tables import SCHEMA, VERSION_TABLE

T = TypeVar("T")
AfterWrite = Callable[[int], None]
_MUCH_PAGES = 1024
"""Fewer pages of deleted rows, 4 MiB, are left to what comes next."""


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
        database = cls(sql_engine(where), after_write=after_write)
        try:
            await database._call(database._bring_up_to_date)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Finish what is under way and close the connection.

        What was deleted gives its room back, where that is much.
        """
        if self._writes and self._engine.dialect.name == "sqlite":
            await asyncio.get_running_loop().run_in_executor(self._thread, self._give_back)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()

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

    def _give_back(self) -> None:
        # Another process may have it open, or the disk no room: the next one may do it.
        with contextlib.suppress(sqlite3.DatabaseError, DBAPIError):
            given = self._engine.raw_connection()
            try:
                cursor: Any = given.cursor()
                cursor.execute("PRAGMA busy_timeout = 0")
                pages, free = (
                    cursor.execute(f"PRAGMA {each}").fetchone()[0]
                    for each in ("page_count", "freelist_count")
                )
                if free >= _MUCH_PAGES and free * 4 >= pages:
                    cursor.execute("VACUUM")
            finally:
                given.close()

    def _writing(self) -> Connection:
        return self._engine.connect().execution_options(linacre_write=True)

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except DBAPIError as error:
            raise clear_error(error, place(self._engine.url)) from error
        except (UnicodeDecodeError, UnreadableError) as error:
            # SQLite's own message quotes a damaged schema, which then is no text.
            raise damage_at(place(self._engine.url)) from error

    def _bring_up_to_date(self) -> None:
        with self._engine.connect() as connection:
            if schema_of(connection) == SCHEMA:
                return
        from linacre.catalogue.migrate import migrate

        # Looked at again under the write lock: another process may have been quicker.
        with self._writing() as connection, connection.begin():
            hold_schema(connection)
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
