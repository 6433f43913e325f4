"""The tables, as the newest migration leaves them. Times are seconds since the Unix epoch."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = "0001"
"""The revision of the newest migration; a catalogue at it opens without alembic."""

VERSION_TABLE = "alembic_version"

metadata = MetaData()

task = Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("facility", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("user", String, nullable=False),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("state", String, nullable=False, index=True),
    Column("error", Text),
    Column("log", String, nullable=False),
    # An id is never given twice: the name of a log follows from it.
    sqlite_autoincrement=True,
)

step = Table(
    "step",
    metadata,
    Column("task_id", Integer, ForeignKey("task.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("key", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("error", Text),
    UniqueConstraint("task_id", "key", name="uq_step_key"),
)
