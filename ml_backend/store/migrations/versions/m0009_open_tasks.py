"""What is known of open tasks without predictions: how many there are, which of them failed and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add what is counted; the first look at each project fills it."""
    op.add_column("projects", sa.Column("predict_at", sa.DateTime(), nullable=True))
    for name in ("open_tasks", "lacking"):
        op.add_column("rescorings", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("rescorings", sa.Column("checked_at", sa.DateTime(), nullable=True))
    op.add_column("rescorings", sa.Column("problem", sa.String(32), nullable=True))
    op.add_column("rescorings", sa.Column("problem_text", sa.Text(), nullable=True))
    op.create_table(
        "task_failures",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.DateTime(), nullable=False),
        sa.Column("retry_at", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("task_failures")
    with op.batch_alter_table("rescorings") as table:
        for name in ("problem_text", "problem", "checked_at", "lacking", "open_tasks"):
            table.drop_column(name)
    with op.batch_alter_table("projects") as table:
        table.drop_column("predict_at")
