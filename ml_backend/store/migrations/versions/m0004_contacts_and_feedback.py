"""Contacts and feedback of applications, a project's own fields, and what is set for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables of the self-learning API."""
    op.create_table(
        "contacts",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("contact_id", sa.String(200), primary_key=True),
        sa.Column("task_id", sa.BigInteger()),
        sa.Column("claimed_at", sa.DateTime(), nullable=False),
    )
    op.create_index("contacts_by_task", "contacts", ["project_id", "task_id"])
    op.create_table(
        "feedback",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.String(200), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("original", sa.JSON(), nullable=False),
        sa.Column("corrected", sa.JSON(), nullable=False),
        sa.Column("corrections", sa.JSON(), nullable=False),
        sa.Column("model_version", sa.String(200)),
        sa.Column("image", sa.Text()),
        sa.Column("annotation_id", sa.BigInteger()),
        sa.Column("problem", sa.Text()),
    )
    op.create_index("feedback_by_project", "feedback", ["project_id", "id"])
    op.create_table(
        "project_fields",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "project_options",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("label_config", sa.Text()),
        sa.Column("challenger_share", sa.Double()),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("project_options", "project_fields", "feedback", "contacts"):
        op.drop_table(table)
