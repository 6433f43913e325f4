"""Brings a database to the schema of this program; imported only when there is something to do."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import ProgrammingError

from linacre.base.errors import LinacreError
from linacre.catalogue.connect import place
from linacre.catalogue.tables import SCHEMA

SCRIPTS = Path(__file__).parent / "migrations"

_KEYS = text(
    "SELECT quote_ident(relname), quote_ident(conname), pg_get_constraintdef(key.oid)"
    " FROM pg_constraint AS key JOIN pg_class AS its ON its.oid = key.conrelid"
    " WHERE its.relnamespace = CAST(quote_ident(:here) AS regnamespace)"
    # Foreign keys last: they need those that they lead to.
    " AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f', relname, conname"
)
_INDEXES = text(
    "SELECT pg_get_indexdef(indexrelid)"
    " FROM pg_index JOIN pg_class AS its ON its.oid = indrelid"
    " WHERE its.relnamespace = CAST(quote_ident(:here) AS regnamespace) AND NOT EXISTS"
    " (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))"
)


def migrate(
    connection: Connection,
    *,
    found: str | None,
    target: str = SCHEMA,
    scripts: Path = SCRIPTS,
) -> None:
    """Run the migrations from `found` (None: an empty database) to `target`.

    All happens in the connection's transaction. Of what is there a copy is kept: of a SQLite file
    beside it as `NAME.schema-FOUND`, in PostgreSQL in a schema named `linacre_schema_FOUND`.
    """
    database = connection.engine.url.database
    if found is not None and connection.dialect.name == "postgresql":
        keep_tables(connection, schema=found)
    elif found is not None and database:
        keep_copy(Path(database), schema=found)
    config = Config()
    # configparser would take a % in the path for one of its own.
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def keep_copy(path: Path, *, schema: str) -> Path:
    """Copy a SQLite file as its last commit left it, and return the copy."""
    copy = path.with_name(f"{path.name}.schema-{schema}")
    new = copy.with_name(copy.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as target:
            source.backup(target)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(copy)
    except (OSError, sqlite3.Error) as error:
        new.unlink(missing_ok=True)
        raise LinacreError(
            f"the catalogue {path} was not migrated, since it cannot be copied to {copy.name}"
            f" first ({error}): make room and run the command again"
        ) from error
    return copy


def keep_tables(connection: Connection, *, schema: str) -> str:
    """Copy the tables, their keys and counters into a schema of their own, and return its name.

    One that is there from an earlier migration is left alone: the next is `..._2`.
    """
    try:
        return _keep_tables(connection, schema)
    except ProgrammingError as error:
        raise LinacreError(
            f"the catalogue {place(connection.engine.url)} was not migrated, since no copy can be"
            " made first: let its user make schemas (GRANT CREATE ON DATABASE) and run the command"
            " again"
        ) from error


def _keep_tables(connection: Connection, schema: str) -> str:
    found = inspect(connection)
    taken = set(found.get_schema_names())
    names = (f"linacre_schema_{schema}{'' if n == 1 else f'_{n}'}" for n in count(1))
    copy = next(name for name in names if name not in taken)
    here = found.default_schema_name or "public"
    quoted = connection.dialect.identifier_preparer.quote
    run = connection.exec_driver_sql
    run(f"CREATE SCHEMA {copy}")
    for name in found.get_table_names():
        old, new = f"{quoted(here)}.{quoted(name)}", f"{copy}.{quoted(name)}"
        run(f"CREATE TABLE {new} (LIKE {old} INCLUDING ALL EXCLUDING INDEXES)")
        run(f"INSERT INTO {new} SELECT * FROM {old}")
        for column in found.get_columns(name):
            if "nextval(" in str(column["default"]):
                _own_counter(connection, new, column["name"], counter=f"{copy}.{name}_counter")
    _keep_keys(connection, here=here, copy=copy)
    return copy


def _keep_keys(connection: Connection, *, here: str, copy: str) -> None:
    """Give the copies the keys and indexes of the originals, by the same names.

    LIKE would name them anew, and a later migration would not find them in a copy put back.
    """
    keys = connection.execute(_KEYS, {"here": here}).all()
    indexes = connection.execute(_INDEXES, {"here": here}).scalars().all()
    # A key tells its tables without their schema where that is the one looked in.
    path = connection.execute(select(func.current_setting("search_path"))).scalar_one()
    connection.execute(select(func.set_config("search_path", copy, True)))
    for table, name, definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    quoted = connection.dialect.identifier_preparer.quote
    for definition in indexes:
        moved = definition.replace(f" ON {quoted(here)}.", f" ON {copy}.", 1)
        connection.exec_driver_sql(moved)
    connection.execute(select(func.set_config("search_path", path, True)))


def _own_counter(connection: Connection, table: str, column: str, *, counter: str) -> None:
    # LIKE gives the copy the counter of the original, and with it no way to stand alone.
    run = connection.exec_driver_sql
    run(f"CREATE SEQUENCE {counter} OWNED BY {table}.{column}")
    run(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{counter}')")
    run(f"SELECT setval('{counter}', coalesce(max({column}), 0) + 1, false) FROM {table}")
