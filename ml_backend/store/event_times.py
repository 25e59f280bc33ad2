"""Since when events wait to be learned from: what decides whether a burst of webhooks is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, case, func, select

from ml_backend.store.engine import reading
from ml_backend.store.tables import EventRow

_TELLS_OF_TASKS = ("TASKS_CREATED", "ANNOTATIONS_DELETED", "PROJECT_UPDATED")


@dataclass(frozen=True, slots=True)
class Waiting:
    """When a project's oldest and newest event came of those that were not learned from yet.

    Attributes:
        new_tasks: Whether one of them tells of tasks that may lack a prediction: new ones, such as are open again, or
            all of a project that was changed.
    """

    oldest: datetime
    newest: datetime
    new_tasks: bool = False


def waiting_events(engine: Engine) -> dict[int, Waiting]:
    """Return, by project, since when events wait; events that name no project are left out.

    Raises:
        StoreError: If the store cannot be read.
    """
    times = (
        select(
            EventRow.project_id,
            func.min(EventRow.received_at, type_=EventRow.received_at.type),
            func.max(EventRow.received_at, type_=EventRow.received_at.type),
            func.max(case((EventRow.action.in_(_TELLS_OF_TASKS), 1), else_=0)),
        )
        .where(EventRow.processed_at.is_(None), EventRow.duplicate_of.is_(None), EventRow.project_id.is_not(None))
        .group_by(EventRow.project_id)
    )
    with reading(engine) as connection:
        rows = connection.execute(times).all()
    return {
        project: Waiting(oldest, newest, bool(new_tasks))
        for project, oldest, newest, new_tasks in rows
        if project is not None
    }
