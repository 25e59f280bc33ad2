"""Tasks are no longer taken in turns by cluster: the order of active learning sees to variety."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Drop the middles of clusters."""
    with op.batch_alter_table("rescorings") as table:
        table.drop_column("centroids")


def downgrade() -> None:
    """Bring the column back, empty."""
    with op.batch_alter_table("rescorings") as table:
        table.add_column(sa.Column("centroids", sa.JSON()))
