"""The store's tables. A change here goes with a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite counts rows by itself only where the key is exactly INTEGER.
_RowId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: SQLite forgets the time zone, so it is taken off before and put on after."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC without a zone."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what was stored is UTC."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


class Base(DeclarativeBase):
    """All tables."""


class EventRow(Base):
    """One event as Label Studio sent it; nothing is lost in parsing.

    ``duplicate_of`` points to an equal event that came shortly before: a project with two webhooks to this backend
    sends each event twice. ``processed_at`` is set by the job that has learned from it.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(_RowId, primary_key=True, autoincrement=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(64))
    project_id: Mapped[int | None] = mapped_column(BigInteger)
    task_ids: Mapped[list[int]] = mapped_column(JSON)
    annotation_ids: Mapped[list[int]] = mapped_column(JSON)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    payload_hash: Mapped[str] = mapped_column(String(64))
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("events.id", name="events_duplicate_of"))
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("events_by_hash", "payload_hash", "received_at"),
        Index("events_open", "project_id", "processed_at", "id"),
    )


class PageRow(Base):
    """What an engine read on an image, by the image's content and the engine's version."""

    __tablename__ = "pages"

    image_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    engine_version: Mapped[str] = mapped_column(String(200), primary_key=True)
    page: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
