"""Sessions of the panel that were ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "panel_logouts",
        sa.Column("session", sa.String(64), primary_key=True),
        sa.Column("ended_at", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("panel_logouts")
