"""Brings a database to the schema of this program; imported only when there is something to do."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from linacre.base.errors import LinacreError
from linacre.catalogue.tables import SCHEMA

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(
    connection: Connection,
    *,
    found: str | None,
    target: str = SCHEMA,
    scripts: Path = SCRIPTS,
) -> None:
    """Run the migrations from `found` (None: an empty database) to `target`.

    All happens in the connection's transaction. A copy of an existing SQLite file is kept
    beside it as `NAME.schema-FOUND`; other databases are left to their own backups.
    """
    database = connection.engine.url.database
    if found is not None and connection.dialect.name == "sqlite" and database:
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
