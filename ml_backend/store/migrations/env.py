"""Alembic's entry: runs the steps on the connection, and in the transaction, that the caller holds the lock in."""

from __future__ import annotations

from alembic import context

from ml_backend.store.tables import Base

# SQLite cannot alter most things in place: Alembic's batch mode copies the table instead.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
