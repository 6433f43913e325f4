"""Machines, IOCs, their records, and the states that each IOC was in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the schema to this revision."""
    _machines()
    _iocs()
    _records()
    _states()


def _machines() -> None:
    op.create_table(
        "machine",
        sa.Column("facility", NAME, primary_key=True),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ioc", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
    )


def _iocs() -> None:
    op.create_table(
        "ioc",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("facility", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("device_type", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("records_digest", sa.String(), nullable=False),
        sa.Column("gone_at", sa.Double[float]()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ioc_name", "ioc", ["facility", "name"])
    op.create_index(
        "uq_ioc_present",
        "ioc",
        ["facility", "name"],
        unique=True,
        sqlite_where=sa.text("gone_at IS NULL"),
        postgresql_where=sa.text("gone_at IS NULL"),
    )


def _records() -> None:
    op.create_table(
        "record",
        sa.Column(
            "ioc_id", sa.Integer(), sa.ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("facility", NAME, nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_record_name", "record", ["facility", "name", "ioc_id"])
    op.create_table(
        "names",
        sa.Column(
            "ioc_id", sa.Integer(), sa.ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("facility", NAME, nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
    )
    op.create_index("ix_names_facility", "names", ["facility"])
    if op.get_context().dialect.name == "postgresql":
        # Unpacking would take longer than the search.
        op.execute("ALTER TABLE names ALTER COLUMN names SET STORAGE EXTERNAL")


def _states() -> None:
    op.create_table(
        "state",
        sa.Column(
            "ioc_id", sa.Integer(), sa.ForeignKey("ioc.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("facility", NAME, nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer()),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("at", sa.Double[float](), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("diff", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
