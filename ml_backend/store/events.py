"""The store: events from Label Studio, and what the OCR engine has read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from sqlalchemy import Engine, bindparam, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.observability.logs import get_logger
from ml_backend.store.engine import StoreError, lock_for_writing, open_engine, reading, upsert, writing
from ml_backend.store.group_commit import GroupCommit
from ml_backend.store.tables import EventRow, PageRow, ProjectRow
from model.document.codec import PageCodecError, decode_page, encode_page
from model.document.types import Page
from model.errors import say

#: Equal events within this time are one event that came over two webhooks. Later ones are meant: a person may ask for
#: training twice, or turn a setting back and forth.
DUPLICATE_WINDOW = timedelta(seconds=30)

#: A person has pressed "Start training".
START_TRAINING = "START_TRAINING"
#: Somebody unknown says that a person has: Label Studio sends that event without the secret that webhooks carry.
TRAINING_HINT = "TRAINING_HINT"
#: More often than this, hints of a project are not listened to.
HINT_WINDOW = timedelta(minutes=10)
HintOutcome = Literal["noted", "too soon", "unknown"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of Label Studio's.

    Attributes:
        id: Grows with every event.
        received_at: When it came, in UTC.
        action: Its name, such as ``ANNOTATION_CREATED``.
        project_id: The project it is about; ``None`` where it does not say.
        task_ids: The tasks it is about.
        annotation_ids: The annotations it is about.
        payload: All that was sent.
        duplicate_of: Id of the equal event that came shortly before, if any.
        processed_at: When it was learned from; ``None`` until then.
    """

    id: int
    received_at: datetime
    action: str
    project_id: int | None
    task_ids: tuple[int, ...]
    annotation_ids: tuple[int, ...]
    payload: Mapping[str, Any]
    duplicate_of: int | None = None
    processed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventHead:
    """What an event is about, without what was sent."""

    id: int
    action: str
    annotation_ids: tuple[int, ...]


class Store:
    """Keeps events for good and readings for reuse; threads may share it, and processes its address.

    It implements :class:`model.pipeline.PageCache`: a cache that fails is a slow one, so its errors are logged and
    not raised.

    Args:
        url: SQLAlchemy address, SQLite or PostgreSQL.

    Raises:
        StoreError: If the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._write_event: GroupCommit[dict[str, Any], Event] = GroupCommit(self._write_events)

    @property
    def engine(self) -> Engine:
        """The open database, for the stores of other concerns."""
        return self._engine

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add_event(
        self,
        payload: Mapping[str, Any],
        *,
        action: str,
        project_id: int | None = None,
        task_ids: Iterable[int] = (),
        annotation_ids: Iterable[int] = (),
        received_at: datetime | None = None,
    ) -> Event:
        """Write an event down; when this returns, it survives a crash.

        An event equal to one of the last seconds is kept too, with ``duplicate_of`` set.

        Raises:
            StoreBusyError: If the store is locked, and too many events wait for it already or this one has for long.
            StoreError: If it cannot be written.
        """
        # With the project: what is noted of two need not name them.
        canonical = json.dumps([project_id, payload], sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(canonical).hexdigest()
        values: dict[str, Any] = {
            "received_at": received_at or datetime.now(timezone.utc),
            "action": action,
            "project_id": project_id,
            "task_ids": list(task_ids),
            "annotation_ids": list(annotation_ids),
            "payload": dict(payload),
            "payload_hash": digest,
            "processed_at": None,
        }
        return self._write_event(values)

    def _write_events(self, events: Sequence[dict[str, Any]]) -> list[Event]:
        written: dict[int, Event] = {}
        with writing(self._engine) as connection:
            # Locks are taken in one order, so that two processes never wait for each other.
            for index in sorted(range(len(events)), key=lambda index: events[index]["payload_hash"]):
                values = events[index]
                lock_for_writing(connection, int(values["payload_hash"][:15], 16))
                same = {
                    "digest": values["payload_hash"],
                    "since": values["received_at"] - DUPLICATE_WINDOW,
                    "until": values["received_at"] + DUPLICATE_WINDOW,
                }
                row = values | {"duplicate_of": connection.scalar(_ORIGINAL, same)}
                number = connection.scalars(_INSERT, row).one()
                written[index] = _event(id=number, **{key: row[key] for key in row if key != "payload_hash"})
        return [written[index] for index in range(len(events))]

    def add_hint(self, project_id: int, *, received_at: datetime | None = None) -> HintOutcome:
        """Write down that somebody unknown wants a project trained, without anything that was sent.

        Returns:
            Whether it was noted, came too soon after another one (:data:`HINT_WINDOW`), or is about a project that was
            never heard of.

        Raises:
            StoreError: If the store cannot be read or written.
        """
        moment = received_at or datetime.now(timezone.utc)
        latest = select(func.max(EventRow.received_at)).where(
            EventRow.project_id == project_id, EventRow.action == TRAINING_HINT
        )
        with reading(self._engine) as connection:
            known = connection.scalar(select(ProjectRow.id).where(ProjectRow.id == project_id)) is not None
            before = connection.scalar(latest)
        if not known:
            return "unknown"
        # One from the future is from before the clock was set back.
        if before is not None and timedelta(0) <= moment - before < HINT_WINDOW:
            return "too soon"
        self.add_event({"action": TRAINING_HINT}, action=TRAINING_HINT, project_id=project_id, received_at=moment)
        return "noted"

    def pending_events(self, project_id: int | None = None, *, limit: int = 1000) -> list[Event]:
        """Return what was not learned from yet, oldest first, without duplicates; of one project or of all.

        Raises:
            StoreError: If the store cannot be read.
        """
        rows = select(*_EVENT_COLUMNS).where(EventRow.processed_at.is_(None), EventRow.duplicate_of.is_(None))
        if project_id is not None:
            rows = rows.where(EventRow.project_id == project_id)
        with reading(self._engine) as connection:
            found = connection.execute(rows.order_by(EventRow.id).limit(limit)).mappings().all()
        return [_event(**row) for row in found]

    def pending_heads(self, project_id: int) -> list[EventHead]:
        """Return what a project's events that were not learned from yet are about, oldest first, without duplicates.

        Raises:
            StoreError: If the store cannot be read.
        """
        wanted = select(EventRow.id, EventRow.action, EventRow.annotation_ids).where(
            EventRow.processed_at.is_(None), EventRow.duplicate_of.is_(None), EventRow.project_id == project_id
        )
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(EventRow.id))
            return [EventHead(row.id, row.action, tuple(row.annotation_ids)) for row in rows]

    def payload(self, event_id: int) -> Mapping[str, Any]:
        """Return all that was sent with an event; nothing where there is no such event.

        Raises:
            StoreError: If the store cannot be read.
        """
        with reading(self._engine) as connection:
            payload = connection.scalar(select(EventRow.payload).where(EventRow.id == event_id))
        return dict(payload or {})

    def mark_processed(self, event_ids: Iterable[int]) -> None:
        """Note that these events were learned from; those that were noted before keep their time.

        Raises:
            StoreError: If it cannot be written.
        """
        done = sorted(event_ids)
        now = datetime.now(timezone.utc)
        with writing(self._engine) as connection:
            # Some builds of SQLite take no more than 999 parameters in a statement.
            for start in range(0, len(done), 500):
                these = EventRow.id.in_(done[start : start + 500]), EventRow.processed_at.is_(None)
                # In order, so that two syncs with events in common never wait for each other.
                locked = select(EventRow.id).where(*these).order_by(EventRow.id).with_for_update()
                connection.execute(update(EventRow).where(EventRow.id.in_(locked)).values(processed_at=now))

    def get(self, image_key: str, engine_version: str) -> Page | None:
        """Return the page that was kept, or ``None``."""
        wanted = select(PageRow.page).where(PageRow.image_key == image_key, PageRow.engine_version == engine_version)
        try:
            with self._engine.connect() as connection:
                stored = connection.scalar(wanted)
            return None if stored is None else decode_page(stored)
        except (SQLAlchemyError, PageCodecError) as error:
            _log.warning("page_cache_not_read", error=type(error).__name__)
            return None

    def put(self, image_key: str, engine_version: str, page: Page) -> None:
        """Keep ``page``; what was kept for the same image and version is replaced."""
        row = {
            "image_key": image_key,
            "engine_version": engine_version,
            "page": encode_page(page),
            "created_at": datetime.now(timezone.utc),
        }
        try:
            with writing(self._engine) as connection:
                upsert(connection, PageRow, [row])
        except StoreError as error:
            _log.warning("page_cache_not_written", error=type(error.__cause__).__name__)

    def check(self) -> None:
        """Make sure that the database answers.

        Raises:
            StoreError: If it does not.
        """
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise StoreError(say("The store does not answer."), say("Check DATABASE_URL.")) from error


# Built once: a burst has no time to spare.
_ORIGINAL = select(func.min(EventRow.id)).where(
    EventRow.payload_hash == bindparam("digest"),
    EventRow.duplicate_of.is_(None),
    EventRow.received_at > bindparam("since"),
    # What seems to come from the future is from before the clock was set back.
    EventRow.received_at < bindparam("until"),
)
_INSERT = insert(EventRow).returning(EventRow.id)
_EVENT_COLUMNS = tuple(column for column in EventRow.__table__.columns if column.name != "payload_hash")


def _event(**values: Any) -> Event:
    return Event(**values | {key: tuple(values[key]) for key in ("task_ids", "annotation_ids")})
