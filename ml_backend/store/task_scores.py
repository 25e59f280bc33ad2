"""What the store keeps for active learning: what the models say of each task, and the order that came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, RowMapping, Table, and_, bindparam, func, select, update

from ml_backend.store.engine import lock_for_writing, reading, upsert, writing
from ml_backend.store.signals import Signals
from ml_backend.store.tables import AnnotationRow, ProjectFieldRow, TaskOrderRow, TaskScoreRow

#: Stands for an order that has not reached Label Studio; it is tried again after a while.
NOT_SHOWN = -1
_TRIED_AGAIN = timedelta(seconds=60)

# Some builds of SQLite take no more than 999 parameters in a statement.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Scored:
    """What a version says of a task.

    Attributes:
        task_id: The task.
        version: The model version, as the prediction carries it.
        confidence: How sure the models are of the whole, in ``[0, 1]``.
        signals: The same in detail.
        embedding: Shape ``(hidden,)``; ``None`` where nothing was read.
        naming: Stamp of the project's own naming, empty where the version named alone.
    """

    task_id: int
    version: str
    confidence: float
    signals: Signals
    embedding: NDArray[np.float32] | None
    naming: str = ""


@dataclass(frozen=True, slots=True)
class TaskScore:
    """What is kept of a task, but for its embedding.

    Attributes:
        task_id: The task.
        version: The model version that said so.
        confidence: How sure the models are of the whole, in ``[0, 1]``.
        signals: The same in detail.
        scored_at: When it said so.
        acquisition: Corrections that it will probably need; ``None`` until it is put into an order.
        place: Its place in the order, from 0; ``None`` until then.
        control: Whether it was put there by chance.
        prediction_id: Label Studio's number of the prediction; ``None`` where it is not known.
        shown_score: The score that Label Studio orders by; ``None`` where it is not known.
    """

    task_id: int
    version: str
    confidence: float
    signals: Signals
    scored_at: datetime
    acquisition: float | None
    place: int | None
    control: bool
    prediction_id: int | None
    shown_score: float | None


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """How a project's open tasks were last put into order.

    Attributes:
        version: The model version whose scores decided.
        strategy: What chose.
        reason: Why this strategy, in words.
        ordered_at: When.
        tasks: How many open tasks there were.
        annotated: How many annotated documents there were.
        moved: How many scores were changed in Label Studio; :data:`NOT_SHOWN` where the project orders its tasks by
            something else, or not yet by this version.
    """

    project_id: int
    version: str
    strategy: str
    reason: str
    ordered_at: datetime
    tasks: int
    annotated: int
    moved: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where a task was put: what :meth:`TaskScores.place` keeps."""

    task_id: int
    acquisition: float
    place: int
    control: bool


class TaskScores:
    """Keeps scores and orders; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember(self, project_id: int, scored: Iterable[Scored]) -> None:
        """Keep what a version says of tasks, in place of what an earlier one said; the order stays as it is."""
        now = datetime.now(timezone.utc)
        rows = [
            {
                "project_id": project_id,
                "task_id": each.task_id,
                "version": each.version,
                "confidence": each.confidence,
                "signals": each.signals.to_json(),
                "embedding": _packed(each.embedding),
                "embedding_version": each.version,
                "scored_at": now,
                "naming": each.naming,
                # Another prediction, whose number is not known yet.
                "prediction_id": None,
                "shown_score": each.confidence,
            }
            for each in scored
        ]
        with self._writing(project_id) as connection:
            upsert(connection, TaskScoreRow, rows)

    def scores(self, project_id: int, task_ids: Iterable[int] | None = None) -> dict[int, TaskScore]:
        """Return what is kept of some tasks, or of all."""
        with reading(self._engine) as connection:
            rows = [
                row for part in self._parts(_SCORE, project_id, task_ids) for row in connection.execute(part).mappings()
            ]
        return {row["task_id"]: _task_score(row) for row in rows}

    def places(self, project_id: int) -> dict[int, int]:
        """Return the places of the tasks that were put into order, by task."""
        chosen = select(TaskScoreRow.task_id, TaskScoreRow.place)
        chosen = chosen.where(TaskScoreRow.project_id == project_id, TaskScoreRow.place.is_not(None))
        with reading(self._engine) as connection:
            return {task_id: place for task_id, place in connection.execute(chosen) if place is not None}

    def named_otherwise(self, project_id: int, version: str, naming: str) -> list[int]:
        """Return the tasks that a version scored with another naming, in the order in which they are served."""
        chosen = select(TaskScoreRow.task_id).where(
            TaskScoreRow.project_id == project_id, TaskScoreRow.version == version, TaskScoreRow.naming != naming
        )
        chosen = chosen.order_by(TaskScoreRow.place.is_(None), TaskScoreRow.place, TaskScoreRow.task_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(chosen))

    def note_naming(self, project_id: int, task_ids: Sequence[int], naming: str) -> None:
        """Note that a naming has nothing to change about some tasks: people have annotated them."""
        with self._writing(project_id) as connection:
            for start in range(0, len(task_ids), _CHUNK):
                part = TaskScoreRow.task_id.in_(task_ids[start : start + _CHUNK])
                same = and_(TaskScoreRow.project_id == project_id, part)
                connection.execute(update(TaskScoreRow).where(same).values(naming=naming))

    def embeddings(
        self, project_id: int, version: str, task_ids: Iterable[int] | None = None
    ) -> dict[int, NDArray[np.float16]]:
        """Return the embeddings that a version made of some tasks, or of all; tasks without one are missing."""
        columns = (TaskScoreRow.task_id, TaskScoreRow.embedding)
        wanted = (TaskScoreRow.embedding.is_not(None), TaskScoreRow.embedding_version == version)
        found = {}
        with reading(self._engine) as connection:
            for part in self._parts(columns, project_id, task_ids):
                for task_id, data in connection.execute(part.where(*wanted)):
                    found[task_id] = np.frombuffer(data, dtype="<f2")
        return found

    def remember_embeddings(
        self, project_id: int, version: str, embeddings: Mapping[int, NDArray[np.float32] | None]
    ) -> None:
        """Keep what a newer version makes of annotated tasks; the signals stay those that people met."""
        with self._writing(project_id) as connection:
            for task_id, embedding in embeddings.items():
                same = and_(TaskScoreRow.project_id == project_id, TaskScoreRow.task_id == task_id)
                values = {"embedding": _packed(embedding), "embedding_version": version}
                connection.execute(update(TaskScoreRow).where(same).values(**values))

    def newest(self, project_id: int, task_ids: Iterable[int] | None = None) -> datetime | None:
        """Return when one of some tasks, or of all, was last scored."""
        latest = [func.max(TaskScoreRow.scored_at)]
        # Where all are meant, one row comes of it, which has no order.
        parts = [part.order_by(None) for part in self._parts(latest, project_id, task_ids)]
        with reading(self._engine) as connection:
            moments = [connection.scalar(part) for part in parts]
        return max((moment for moment in moments if moment is not None), default=None)

    def shown(self, project_id: int, scores: Mapping[int, tuple[int, float | None]]) -> None:
        """Note, by task, the number and the score of the prediction that Label Studio orders by."""
        with self._writing(project_id) as connection:
            for task_id, (prediction_id, score) in scores.items():
                same = and_(TaskScoreRow.project_id == project_id, TaskScoreRow.task_id == task_id)
                values = {"prediction_id": prediction_id, "shown_score": score}
                connection.execute(update(TaskScoreRow).where(same).values(**values))

    def place(self, order: TaskOrder, placed: Sequence[Ranked]) -> None:
        """Keep an order; tasks that have no place in it have none any more."""
        table = cast(Table, TaskScoreRow.__table__)
        mine = table.c.project_id == order.project_id
        # All at once: while this writes, webhooks wait, and Label Studio gives them a second.
        one = update(table).where(mine, table.c.task_id == bindparam("of_task"))
        rows = [
            {"of_task": each.task_id, "acquisition": each.acquisition, "place": each.place, "control": each.control}
            for each in placed
        ]
        with self._writing(order.project_id) as connection:
            connection.execute(update(table).where(mine).values(place=None))
            if rows:
                connection.execute(
                    one.values({name: bindparam(name) for name in ("acquisition", "place", "control")}), rows
                )
            upsert(connection, TaskOrderRow, [{field.name: getattr(order, field.name) for field in fields(order)}])

    def order(self, project_id: int) -> TaskOrder | None:
        """Return how a project's tasks were last put into order."""
        chosen = select(*TaskOrderRow.__table__.columns).where(TaskOrderRow.project_id == project_id)
        with reading(self._engine) as connection:
            row = connection.execute(chosen).mappings().one_or_none()
        return None if row is None else TaskOrder(**row)

    def to_order(self, quiet: timedelta, after: int) -> list[int]:
        """Return the projects whose tasks are to be put into order.

        Those are the projects with tasks that were scored since the last time, although none has been for a while,
        those with so many more, or fewer, annotated documents, and those whose order Label Studio could not take yet.

        Args:
            quiet: The while.
            after: So many documents.
        """
        newest = select(TaskScoreRow.project_id, func.max(TaskScoreRow.scored_at).label("at"))
        newest = newest.group_by(TaskScoreRow.project_id)
        counts = select(AnnotationRow.project_id, func.count(AnnotationRow.task_id.distinct()).label("documents"))
        counts = counts.where(AnnotationRow.deleted_at.is_(None), AnnotationRow.was_cancelled.is_(False))
        orders = select(TaskOrderRow.project_id, TaskOrderRow.ordered_at, TaskOrderRow.annotated, TaskOrderRow.moved)
        with reading(self._engine) as connection:
            scored = {row[0]: row[1] for row in connection.execute(newest)}
            annotated = {row[0]: row[1] for row in connection.execute(counts.group_by(AnnotationRow.project_id))}
            ordered = {row.project_id: row for row in connection.execute(orders)}
        now = datetime.now(timezone.utc)
        due = []
        for project_id, at in sorted(scored.items()):
            before = ordered.get(project_id)
            if before is None or at > before.ordered_at:
                wanted = at <= now - quiet
            else:
                unseen = before.moved == NOT_SHOWN and before.ordered_at <= now - _TRIED_AGAIN
                wanted = unseen or abs(annotated.get(project_id, 0) - before.annotated) >= after
            if wanted:
                due.append(project_id)
        return due

    def critical_fields(self, project_id: int) -> tuple[str, ...]:
        """Return the fields that a project itself has called critical."""
        chosen = select(ProjectFieldRow.name).where(ProjectFieldRow.project_id == project_id, ProjectFieldRow.critical)
        with reading(self._engine) as connection:
            return tuple(connection.scalars(chosen.order_by(ProjectFieldRow.name)))

    @contextmanager
    def _writing(self, project_id: int) -> Iterator[Connection]:
        """Give a connection to write with; those who write many rows of one project take turns."""
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            yield connection

    def _parts(self, columns: Sequence[Any], project_id: int, task_ids: Iterable[int] | None) -> Iterator[Any]:
        chosen = select(*columns).where(TaskScoreRow.project_id == project_id)
        if task_ids is None:
            yield chosen.order_by(TaskScoreRow.task_id)
            return
        wanted = list(task_ids)
        for start in range(0, len(wanted), _CHUNK):
            yield chosen.where(TaskScoreRow.task_id.in_(wanted[start : start + _CHUNK]))


_SCORE = tuple(TaskScoreRow.__table__.columns[field.name] for field in fields(TaskScore))


def _packed(embedding: NDArray[np.float32] | None) -> bytes | None:
    return None if embedding is None else np.asarray(embedding, dtype="<f2").tobytes()


def _task_score(row: RowMapping) -> TaskScore:
    return TaskScore(**dict(row) | {"signals": Signals.from_json(row["signals"])})
