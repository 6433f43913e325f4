"""What start scripts printed of errors: of an IOC as it is, and of each state that it was in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the schema to this revision."""
    for table in ("ioc", "state"):
        op.add_column(table, sa.Column("start_errors", sa.Integer()))
        messages = sa.Column("start_messages", sa.Text(), nullable=False, server_default="")
        op.add_column(table, messages)
