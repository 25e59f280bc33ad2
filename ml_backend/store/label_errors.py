"""The queue of annotated tasks whose labels may be wrong, as the store keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import lock_for_writing, reading, writing
from ml_backend.store.records import choose
from ml_backend.store.tables import LabelSuspectRow


@dataclass(frozen=True, slots=True)
class Doubt:
    """One label that is in doubt.

    Attributes:
        text: The word, or the value.
        given: Its label; empty for none.
        suggested: What it may be instead; empty for none.
        probability: Of the suggestion, in ``[0, 1]``.
        by: Who doubts: ``model``, or ``annotator`` for another person's annotation of the same task.
        box: ``x0, y0, x1, y1`` in pixels of the image; ``None`` where it is not known.
        item_index: Which page of the task it is on, from 0.
    """

    text: str
    given: str
    suggested: str
    probability: float
    by: str = "model"
    box: tuple[float, float, float, float] | None = None
    item_index: int = 0

    @property
    def words(self) -> str:
        """The same in plain English."""
        rather = self.suggested or "no field"
        who = "another annotator says" if self.by == "annotator" else f"{100 * self.probability:.0f} % sure it is"
        return f'"{self.text}" is {self.given or "no field"}; {who} {rather}'


@dataclass(frozen=True, slots=True)
class LabelSuspect:
    """An annotated task that a person should look at again.

    Attributes:
        task_id: The task.
        annotation_id: The annotation that was looked at.
        digest: Of that annotation; another one has been fixed.
        version: The model that doubts.
        suspicion: How surely something is wrong, in ``[0, 1]``.
        doubts: The worst first.
        found_at: When.
    """

    task_id: int
    annotation_id: int
    digest: str
    version: str
    suspicion: float
    doubts: tuple[Doubt, ...]
    found_at: datetime


class LabelErrors:
    """Keeps and gives the queue; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
        learning: The annotations: what has changed since is out of the queue.
    """

    def __init__(self, engine: Engine, learning: LearningStore) -> None:
        self._engine = engine
        self._learning = learning

    def save(self, project_id: int, suspects: Sequence[LabelSuspect]) -> None:
        """Keep a project's queue, in place of the one before."""
        rows = [
            asdict(each) | {"project_id": project_id, "details": [asdict(doubt) for doubt in each.doubts]}
            for each in suspects
        ]
        for row in rows:
            del row["doubts"]
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            connection.execute(delete(LabelSuspectRow).where(LabelSuspectRow.project_id == project_id))
            if rows:
                connection.execute(insert(LabelSuspectRow), rows)

    def queue(self, project_id: int, limit: int = 20) -> tuple[LabelSuspect, ...]:
        """Return the annotated tasks that should be looked at again, the worst first."""
        chosen = select(*LabelSuspectRow.__table__.columns).where(LabelSuspectRow.project_id == project_id)
        with reading(self._engine) as connection:
            rows = (
                connection.execute(chosen.order_by(LabelSuspectRow.suspicion.desc(), LabelSuspectRow.task_id))
                .mappings()
                .all()
            )
        present = {head.task_id: head.digest for head in choose(self._learning.heads(project_id)).values()}
        found = (_suspect(dict(row)) for row in rows)
        return tuple([each for each in found if present.get(each.task_id) == each.digest][:limit])


def _suspect(row: dict[str, Any]) -> LabelSuspect:
    doubts = (Doubt(**raw | {"box": tuple(raw["box"]) if raw["box"] else None}) for raw in row["details"])
    kept = {field.name: row[field.name] for field in fields(LabelSuspect) if field.name != "doubts"}
    return LabelSuspect(**kept, doubts=tuple(doubts))
