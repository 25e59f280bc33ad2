"""Annotations and corrections, training runs, promotions, and what rescoring needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of the learning loop."""
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "projects",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("synced_at", sa.DateTime()),
        sa.Column("cursor", sa.String(40)),
        sa.Column("compared_at", sa.DateTime()),
        sa.Column("pinned_version", sa.Integer()),
        sa.Column("rescored_version", sa.String(200)),
        sa.Column("sync_asked", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "annotations",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("completed_by", sa.BigInteger()),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("was_cancelled", sa.Boolean(), nullable=False),
        sa.Column("ground_truth", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("prediction", sa.JSON()),
        sa.Column("model_version", sa.String(200)),
        sa.Column("deleted_at", sa.DateTime()),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("cost", sa.Integer()),
        sa.Column("problem", sa.Text()),
        sa.Column("page_problem", sa.Text()),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("task_data", sa.JSON(), nullable=False),
    )
    op.create_index("annotations_by_task", "annotations", ["project_id", "task_id"])
    op.create_table(
        "corrections",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column(
            "annotation_id",
            sa.BigInteger(),
            sa.ForeignKey("annotations.id", name="corrections_annotation", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("region_id", sa.String(200), nullable=False),
        sa.Column("field_before", sa.Text()),
        sa.Column("field_after", sa.Text()),
        sa.Column("text_before", sa.Text()),
        sa.Column("text_after", sa.Text()),
        sa.Column("box", sa.JSON()),
    )
    op.create_index("corrections_by_annotation", "corrections", ["annotation_id"])
    op.create_table(
        "runs",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.String(32)),
        sa.Column("step", sa.Integer()),
        sa.Column("steps", sa.Integer()),
        sa.Column("loss", sa.Double()),
        sa.Column("eta_seconds", sa.Double()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime()),
        sa.Column("heartbeat_at", sa.DateTime()),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("learned_up_to", sa.String(64), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime()),
        sa.Column("version", sa.Integer()),
        sa.Column("decision", sa.String(16)),
        sa.Column("message", sa.Text()),
        sa.Column("mlflow_run_id", sa.String(64)),
    )
    op.create_index("runs_by_project", "runs", ["project_id", "id"])
    for state in ("due", "running"):
        only = sa.text(f"state = '{state}'")
        op.create_index(
            f"runs_one_{state}", "runs", ["project_id"], unique=True, sqlite_where=only, postgresql_where=only
        )
    op.create_table(
        "learned",
        sa.Column(
            "run_id",
            row_id,
            sa.ForeignKey("runs.id", name="learned_run", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "promotions",
        sa.Column("id", row_id, primary_key=True, autoincrement=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("previous", sa.Integer()),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("promotions_by_project", "promotions", ["project_id", "id"])
    op.create_table(
        "task_images",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("image", sa.String(200), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
    )
    op.create_table(
        "rescorings",
        sa.Column("project_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("centroids", sa.JSON()),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("pushed", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in (
        "rescorings",
        "task_images",
        "promotions",
        "learned",
        "runs",
        "corrections",
        "annotations",
        "projects",
    ):
        op.drop_table(table)
