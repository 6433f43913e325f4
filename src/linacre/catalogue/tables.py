"""The tables, as the newest migration leaves them. Times are seconds since the Unix epoch."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA = "0004"
"""The revision of the newest migration; a catalogue at it opens without alembic."""

VERSION_TABLE = "alembic_version"

metadata = MetaData()

NAME = String().with_variant(String(collation="C"), "postgresql")
"""Compared byte by byte in both databases: so are PV names, and so an index serves a prefix."""

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
    # Its detail, where that may be a name.
    Column("target", NAME, nullable=False, server_default=""),
    # An id is never given twice: the name of a log follows from it.
    sqlite_autoincrement=True,
)
Index("ix_task_target", task.c.facility, task.c.target)

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
    # The last word of its key: a machine, as a rule.
    Column("target", NAME, nullable=False, server_default=""),
    UniqueConstraint("task_id", "key", name="uq_step_key"),
)
Index("ix_step_target", step.c.target, step.c.task_id)

machine = Table(
    "machine",
    metadata,
    Column("facility", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("kind", String, nullable=False),
    Column("ioc", String, nullable=False),
    Column("network", String, nullable=False),
    Column("address", String, nullable=False),
    Column("host", String, nullable=False),
    Column("image", String, nullable=False),
)

ioc = Table(
    "ioc",
    metadata,
    # What history hangs on: a name may change, and be given to another IOC later.
    Column("id", Integer, primary_key=True),
    Column("facility", NAME, nullable=False),
    Column("name", NAME, nullable=False),
    Column("kind", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("area", String, nullable=False),
    Column("device_type", String, nullable=False),
    Column("description", Text, nullable=False),
    Column("network", String, nullable=False),
    Column("address", String, nullable=False),
    Column("host", String, nullable=False),
    Column("machine", String, nullable=False),
    Column("source", Text, nullable=False),
    Column("revision", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("records_digest", String, nullable=False),
    Column("gone_at", Double),
    # Of its start script, when it was last looked at; null where it told none.
    Column("start_errors", Integer),
    Column("start_messages", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
Index("ix_ioc_name", ioc.c.facility, ioc.c.name)

record = Table(
    "record",
    metadata,
    Column("ioc_id", Integer, ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("facility", NAME, nullable=False),
    Column("record_type", String, nullable=False),
    Column("description", Text, nullable=False),
    sqlite_with_rowid=False,
)
# With the IOC it answers a search without a look at the table, which is several times as large.
Index("ix_record_name", record.c.facility, record.c.name, record.c.ioc_id)

names = Table(
    "names",
    metadata,
    Column("ioc_id", Integer, ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True),
    Column("facility", NAME, nullable=False, index=True),
    Column("names", Text, nullable=False),
)
"""The names of an IOC's records once more, sorted, each between two newlines: a search for a part
of a name is several times as quick in 200 long texts as in 200,000 rows."""

state = Table(
    "state",
    metadata,
    Column("ioc_id", Integer, ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("facility", NAME, nullable=False),
    Column("verb", String, nullable=False),
    Column("task_id", Integer),
    Column("user", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("revision", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("settings", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("diff", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("start_errors", Integer),
    Column("start_messages", Text, nullable=False, server_default=""),
)


def whole_metadata() -> MetaData:
    """Return the tables with the index that each kind of database says in its own way.

    To name PostgreSQL imports all that SQLAlchemy knows of it, which no command has a use for.
    """
    if not any(index.name == "uq_ioc_present" for index in ioc.indexes):
        Index(
            "uq_ioc_present",
            ioc.c.facility,
            ioc.c.name,
            unique=True,
            sqlite_where=text("gone_at IS NULL"),
            postgresql_where=text("gone_at IS NULL"),
        )
    return metadata
