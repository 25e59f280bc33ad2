"""Events and pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "events",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("project_id", sa.BigInteger()),
        sa.Column("task_ids", sa.JSON(), nullable=False),
        sa.Column("annotation_ids", sa.JSON(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("payload_hash", sa.String(64), nullable=False),
        sa.Column("duplicate_of", row_id, sa.ForeignKey("events.id", name="events_duplicate_of")),
        sa.Column("processed_at", sa.DateTime()),
    )
    op.create_index("events_by_hash", "events", ["payload_hash", "received_at"])
    op.create_index("events_open", "events", ["project_id", "processed_at", "id"])
    op.create_table(
        "pages",
        sa.Column("image_key", sa.String(64), primary_key=True),
        sa.Column("engine_version", sa.String(200), primary_key=True),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("pages")
    op.drop_table("events")
