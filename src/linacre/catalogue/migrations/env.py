"""Runs migrations over the connection, and in the transaction, that `migrate` hands in."""

from __future__ import annotations

from typing import cast

from alembic import context
from sqlalchemy import Connection

from linacre.catalogue.tables import whole_metadata

context.configure(
    connection=cast("Connection", context.config.attributes["connection"]),
    target_metadata=whole_metadata(),
    # SQLite's schema changes are as transactional as its rows, though alembic assumes otherwise:
    # a migration that is killed leaves the old schema.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
