"""What is kept of images and corrections says which page of its task it is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Number the pages; what was there is of the first."""
    op.add_column("corrections", sa.Column("item_index", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "task_images_by_page",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("image", sa.String(200), primary_key=True),
        sa.Column("item_index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
    )
    op.execute(
        "INSERT INTO task_images_by_page (project_id, task_id, image, item_index, url, image_key) "
        "SELECT project_id, task_id, image, 0, url, image_key FROM task_images"
    )
    op.drop_table("task_images")
    op.rename_table("task_images_by_page", "task_images")


def downgrade() -> None:
    """Keep the first pages only."""
    op.create_table(
        "task_images_of_first",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("image", sa.String(200), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
    )
    op.execute(
        "INSERT INTO task_images_of_first (project_id, task_id, image, url, image_key) "
        "SELECT project_id, task_id, image, url, image_key FROM task_images WHERE item_index = 0"
    )
    op.drop_table("task_images")
    op.rename_table("task_images_of_first", "task_images")
    with op.batch_alter_table("corrections") as table:
        table.drop_column("item_index")
