"""What applications have said, as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Engine, RowMapping, func, insert, select, update

from ml_backend.store.contact_ids import ContactId, as_sent
from ml_backend.store.engine import reading, writing
from ml_backend.store.records import Correction
from ml_backend.store.tables import FeedbackRow


@dataclass(frozen=True, slots=True)
class Feedback:
    """What an application said of one contact.

    Attributes:
        id: Grows with every feedback.
        project_id: The project.
        contact_id: The application's name of the contact.
        received_at: In UTC.
        original: Blocks as they were read; see :mod:`ml_backend.learn.blocks`.
        corrected: Blocks as they should be.
        corrections: The differences.
        model_version: Who had read them; ``None`` where nobody said.
        image: Address of the image that came along; ``None`` where none did.
        annotation_id: What was made of it to learn from; ``None`` while it waits, or where nothing can be.
        problem: Why nothing can be made of it.
        as_text: Whether the application sent the contact's name as a text.
        said_at: When it says that this was given, in UTC; ``None`` where it does not say.
    """

    id: int
    project_id: int
    contact_id: str
    received_at: datetime
    original: Sequence[Mapping[str, Any]]
    corrected: Sequence[Mapping[str, Any]]
    corrections: tuple[Correction, ...]
    model_version: str | None = None
    image: str | None = None
    annotation_id: int | None = None
    problem: str | None = None
    as_text: bool = False
    said_at: datetime | None = None

    @property
    def sent_id(self) -> ContactId:
        """The contact as the application writes it."""
        return as_sent(self.contact_id, as_text=self.as_text)


class FeedbackStore:
    """Keeps feedback; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        project_id: int,
        contact_id: str,
        original: Sequence[Mapping[str, Any]],
        corrected: Sequence[Mapping[str, Any]],
        corrections: Sequence[Correction],
        *,
        model_version: str | None = None,
        image: str | None = None,
        as_text: bool = False,
        said_at: datetime | None = None,
    ) -> Feedback:
        """Keep a feedback; when this returns, it survives a crash."""
        values = {
            "project_id": project_id,
            "contact_id": contact_id,
            "received_at": datetime.now(timezone.utc),
            "original": list(original),
            "corrected": list(corrected),
            "corrections": [_record(item) for item in corrections],
            "model_version": model_version,
            "image": image,
            "as_text": as_text,
            "said_at": said_at,
        }
        with writing(self._engine) as connection:
            row = connection.execute(insert(FeedbackRow).values(values).returning(*_COLUMNS)).mappings().one()
        return _feedback(row)

    def settle(self, feedback_id: int, *, annotation_id: int | None = None, problem: str | None = None) -> None:
        """Note what was made of a feedback, or why nothing can be."""
        with writing(self._engine) as connection:
            change = update(FeedbackRow).where(FeedbackRow.id == feedback_id)
            connection.execute(change.values(annotation_id=annotation_id, problem=problem))

    def get(self, feedback_id: int) -> Feedback | None:
        """Return one feedback, ``None`` where there is none of that number."""
        found = self._select(FeedbackRow.id == feedback_id)
        return found[0] if found else None

    def waiting(self, project_id: int) -> list[Feedback]:
        """Return what nothing was made of yet, oldest first."""
        return self._select(
            FeedbackRow.project_id == project_id, FeedbackRow.annotation_id.is_(None), FeedbackRow.problem.is_(None)
        )

    def page(
        self, project_id: int, *, before: int | None = None, limit: int = 50, contact_id: str | None = None
    ) -> list[Feedback]:
        """Return feedback newest first.

        Args:
            project_id: The project.
            before: Only with smaller numbers than this one: the last of the page before.
            limit: How many at most.
            contact_id: Of one contact only.
        """
        wanted = [FeedbackRow.project_id == project_id]
        if before is not None:
            wanted.append(FeedbackRow.id < before)
        if contact_id is not None:
            wanted.append(FeedbackRow.contact_id == contact_id)
        return self._select(*wanted, newest=limit)

    def latest(self, project_id: int) -> list[Feedback]:
        """Return the last feedback of each contact: what was said before was said again."""
        last = select(func.max(FeedbackRow.id)).where(FeedbackRow.project_id == project_id)
        return self._select(FeedbackRow.id.in_(last.group_by(FeedbackRow.contact_id)))

    def count(self, project_id: int, contact_id: str | None = None) -> int:
        """Return how much feedback there is."""
        wanted = select(func.count()).select_from(FeedbackRow).where(FeedbackRow.project_id == project_id)
        if contact_id is not None:
            wanted = wanted.where(FeedbackRow.contact_id == contact_id)
        with reading(self._engine) as connection:
            return connection.scalar(wanted) or 0

    def _select(self, *conditions: Any, newest: int | None = None) -> list[Feedback]:
        chosen = select(*_COLUMNS).where(*conditions)
        chosen = chosen.order_by(FeedbackRow.id) if newest is None else chosen.order_by(FeedbackRow.id.desc())
        with reading(self._engine) as connection:
            return [_feedback(row) for row in connection.execute(chosen.limit(newest)).mappings()]


_COLUMNS = tuple(FeedbackRow.__table__.columns)


def _record(correction: Correction) -> dict[str, Any]:
    names = ("kind", "region_id", "field_before", "field_after", "text_before", "text_after", "item_index")
    box = None if correction.box is None else list(correction.box)
    return {name: getattr(correction, name) for name in names} | {"box": box}


def _feedback(row: RowMapping) -> Feedback:
    corrections = tuple(
        Correction(**item | {"box": tuple(item["box"]) if item["box"] else None}) for item in row["corrections"]
    )
    return Feedback(**dict(row) | {"corrections": corrections})
