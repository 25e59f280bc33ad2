"""What decides the order of tasks, and which labels may be wrong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables of active learning."""
    op.create_table(
        "task_scores",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("embedding", sa.LargeBinary()),
        sa.Column("embedding_version", sa.String(200)),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
        sa.Column("acquisition", sa.Double()),
        sa.Column("place", sa.Integer()),
        sa.Column("control", sa.Boolean(), nullable=False),
        sa.Column("prediction_id", sa.BigInteger()),
        sa.Column("shown_score", sa.Double()),
    )
    op.create_index("task_scores_by_time", "task_scores", ["project_id", "scored_at"])
    op.create_table(
        "task_orders",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("strategy", sa.String(40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(), nullable=False),
        sa.Column("tasks", sa.Integer(), nullable=False),
        sa.Column("annotated", sa.Integer(), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
    )
    op.create_table(
        "label_suspects",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("annotation_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("suspicion", sa.Double(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("label_suspects", "task_orders", "task_scores"):
        op.drop_table(table)
