"""Open tasks that could not be predicted: why, and when each is tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sqlalchemy import Engine, delete, func, select

from ml_backend.i18n import keep, kept
from ml_backend.store.engine import lock_for_writing, reading, upsert, writing
from ml_backend.store.tables import TaskFailureRow

#: The wait before the first retry, how much longer each further one is, and the longest.
RETRY_FIRST, RETRY_GROWTH, RETRY_LONGEST = timedelta(minutes=1), 4, timedelta(hours=6)

_LONGEST_MESSAGE = 2000
# Some builds of SQLite take no more than 999 parameters in a statement.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """A task that could not be predicted.

    Attributes:
        task_id: The task.
        reason: Why, in one word: that under which `/predict` counts such failures too.
        message: Why, one sentence.
        tries: How often it was tried.
        failed_at: When it was last tried.
        retry_at: When it is tried again.
    """

    task_id: int
    reason: str
    message: str
    tries: int
    failed_at: datetime
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The failed tasks of one reason: how many, and the newest message."""

    count: int
    message: str


class TaskFailures:
    """Keeps failures; threads and processes may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, project_id: int, task_id: int, reason: str, message: str) -> TaskFailure:
        """Note that a task could not be predicted, and when to try again: later each time, up to a bound."""
        now = datetime.now(timezone.utc)
        same = (TaskFailureRow.project_id == project_id, TaskFailureRow.task_id == task_id)
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            tries = (connection.scalar(select(TaskFailureRow.tries).where(*same)) or 0) + 1
            # The message as it was raised, so that the panel can say it in its visitor's language.
            text = keep(message) if len(keep(message)) <= _LONGEST_MESSAGE else str(message)[:_LONGEST_MESSAGE]
            row = {
                "project_id": project_id,
                "task_id": task_id,
                "reason": reason[:32],
                "message": text,
                "tries": tries,
                "failed_at": now,
                "retry_at": now + retry_delay(tries),
            }
            upsert(connection, TaskFailureRow, [row])
        return TaskFailure(task_id, reason[:32], message, tries, now, now + retry_delay(tries))

    def of(self, project_id: int) -> dict[int, TaskFailure]:
        """Return the failures of a project, by task."""
        chosen = select(*_COLUMNS).where(TaskFailureRow.project_id == project_id).order_by(TaskFailureRow.task_id)
        with reading(self._engine) as connection:
            rows = connection.execute(chosen).mappings().all()
        return {row["task_id"]: TaskFailure(**dict(row) | {"message": kept(row["message"])}) for row in rows}

    def clear(self, project_id: int, task_ids: Iterable[int] | None = None) -> None:
        """Forget the failures of some tasks, or of all."""
        mine = TaskFailureRow.project_id == project_id
        with writing(self._engine) as connection:
            if task_ids is None:
                connection.execute(delete(TaskFailureRow).where(mine))
                return
            wanted = sorted(task_ids)
            for start in range(0, len(wanted), _CHUNK):
                some = TaskFailureRow.task_id.in_(wanted[start : start + _CHUNK])
                connection.execute(delete(TaskFailureRow).where(mine, some))

    def groups(self, project_id: int, among: Collection[int] | None = None) -> dict[str, FailureGroup]:
        """Return the failures by reason, the most frequent first.

        Args:
            project_id: The project.
            among: Counts those of these tasks alone; ``None`` counts all.
        """
        failures = [each for each in self.of(project_id).values() if among is None or each.task_id in among]
        counts = Counter(each.reason for each in failures)
        newest = {each.reason: each.message for each in sorted(failures, key=lambda each: each.failed_at)}
        return {reason: FailureGroup(count, newest[reason]) for reason, count in counts.most_common()}

    def counts(self) -> Mapping[int, Mapping[str, int]]:
        """Return how many tasks failed, by project and reason."""
        chosen = select(TaskFailureRow.project_id, TaskFailureRow.reason, func.count())
        found: dict[int, dict[str, int]] = {}
        with reading(self._engine) as connection:
            grouped = chosen.group_by(TaskFailureRow.project_id, TaskFailureRow.reason)
            for project_id, reason, count in connection.execute(grouped):
                found.setdefault(project_id, {})[reason] = count
        return found


def retry_delay(tries: int) -> timedelta:
    """Return how long to wait after so many tries, 1 or more."""
    # Beyond some tries the power would only be cut off again.
    factor: int = RETRY_GROWTH ** min(tries - 1, 10)
    return min(RETRY_LONGEST, RETRY_FIRST * factor)


_COLUMNS = tuple(column for column in TaskFailureRow.__table__.columns if column.name != "project_id")
