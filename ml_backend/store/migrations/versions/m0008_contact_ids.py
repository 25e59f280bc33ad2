"""Contacts keep whether their name was sent as a text, and feedback when the application says it was given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Names that are numbers count as numbers until an application sends them as text."""
    for table in ("contacts", "feedback"):
        op.add_column(table, sa.Column("as_text", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("feedback", sa.Column("said_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    """Forget both."""
    with op.batch_alter_table("feedback") as table:
        table.drop_column("said_at")
        table.drop_column("as_text")
    with op.batch_alter_table("contacts") as table:
        table.drop_column("as_text")
