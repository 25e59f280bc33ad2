"""What people have set going from the panel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table of the panel's actions."""
    op.create_table(
        "panel_actions",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("outcome", sa.JSON(), nullable=False),
    )
    op.create_index("panel_actions_by_project", "panel_actions", ["project_id", "started_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("panel_actions")
