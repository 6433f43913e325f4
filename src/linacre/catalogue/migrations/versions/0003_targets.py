"""What each step and task is about, by an index: the history of an IOC reads no other's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
LAST_WORD = {
    "sqlite": "substr(key, length(rtrim(key, replace(key, ' ', ''))) + 1)",
    "postgresql": "substring(key from '[^ ]*$')",
}


def upgrade() -> None:
    """Bring the schema to this revision."""
    for table in ("step", "task"):
        op.add_column(table, sa.Column("target", NAME, nullable=False, server_default=""))
    word = LAST_WORD[op.get_context().dialect.name]
    op.execute(f"UPDATE step SET target = {word} WHERE key LIKE '% %'")
    op.execute("UPDATE task SET target = detail WHERE length(detail) <= 63")
    op.create_index("ix_step_target", "step", ["target", "task_id"])
    op.create_index("ix_task_target", "task", ["facility", "target"])
