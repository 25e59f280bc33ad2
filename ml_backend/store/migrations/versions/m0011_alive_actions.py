"""What people have set going from the panel gives signs of life."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the time of the last sign of life; what runs from before the upgrade has died with its process."""
    op.add_column("panel_actions", sa.Column("alive_at", sa.DateTime(), nullable=True))
    op.execute("UPDATE panel_actions SET alive_at = started_at")


def downgrade() -> None:
    """Forget it."""
    with op.batch_alter_table("panel_actions") as table:
        table.drop_column("alive_at")
