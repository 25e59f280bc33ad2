"""What people have annotated, as the store keeps it: annotations, corrections, and how far each project is synced.

The class is long because it is flat: one short method a question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, func, insert, select, update

from ml_backend.store.engine import lock_for_writing, reading, upsert, writing
from ml_backend.store.records import AnnotationHead, Correction, StoredAnnotation
from ml_backend.store.tables import AnnotationRow, CorrectionRow, ProjectRow

# Some builds of SQLite take no more than 999 parameters in a statement.
_CHUNK = 500
# Label Studio's regions have ids of 10 characters, and ours are the versions; other programs may write what they like.
_LONGEST_ID = 200

#: What stands in place of a rescored version where a person wants the open tasks predicted again.
ASKED = "asked for"


@dataclass(frozen=True, slots=True)
class ProjectState:
    """What is known of a project.

    Attributes:
        id: Label Studio's number.
        synced_at: When its annotations were last brought over; ``None`` if never.
        cursor: Latest ``updated_at`` of an annotation seen, as Label Studio wrote it.
        compared_at: When all numbers of annotations were last compared.
        pinned_version: The registry's number of the version that it stays with; ``None`` where it follows the champion.
        rescored_version: The model version whose predictions all its open tasks have.
        sync_asked: Whether a person asked for a sync that has not happened yet.
        predict_at: When its open tasks are next looked at for missing predictions; ``None`` stands for now.
    """

    id: int
    synced_at: datetime | None = None
    cursor: str | None = None
    compared_at: datetime | None = None
    pinned_version: int | None = None
    rescored_version: str | None = None
    sync_asked: bool = False
    predict_at: datetime | None = None


class LearningStore:
    """Keeps annotations and projects; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # Projects

    def project(self, project_id: int) -> ProjectState | None:
        """Return what is known of a project, ``None`` for one never heard of."""
        with reading(self._engine) as connection:
            row = connection.execute(select(*_PROJECT).where(ProjectRow.id == project_id)).mappings().one_or_none()
        return None if row is None else ProjectState(**row)

    def projects(self) -> list[ProjectState]:
        """Return all known projects."""
        with reading(self._engine) as connection:
            return [
                ProjectState(**row) for row in connection.execute(select(*_PROJECT).order_by(ProjectRow.id)).mappings()
            ]

    def ask_sync(self, project_id: int) -> None:
        """Note that a person wants a project's annotations brought over."""
        self._change_project(project_id, sync_asked=True)

    def look_after(self, project_id: int) -> None:
        """Have a project synced and its open tasks predicted as soon as may be: it was connected just now."""
        self._change_project(project_id, sync_asked=True, predict_at=None)

    def note_synced(self, project_id: int, *, cursor: str | None, compared: bool) -> None:
        """Note that a project's annotations were brought over just now.

        Args:
            project_id: The project.
            cursor: Latest ``updated_at`` seen; ``None`` where there is no annotation.
            compared: Whether all numbers were compared too.
        """
        now = datetime.now(timezone.utc)
        more: dict[str, Any] = {"compared_at": now, "sync_asked": False} if compared else {}
        self._change_project(project_id, synced_at=now, cursor=cursor, **more)

    def forget_unseen(self, project_id: int) -> bool:
        """Forget a project of which no annotation was ever seen and no version pinned; return whether it is unknown."""
        unseen = ProjectRow.id == project_id, ProjectRow.cursor.is_(None), ProjectRow.pinned_version.is_(None)
        seen = select(AnnotationRow.id).where(AnnotationRow.project_id == project_id).limit(1)
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            if connection.scalar(seen) is not None:
                return False
            connection.execute(delete(ProjectRow).where(*unseen))
            return connection.scalar(select(ProjectRow.id).where(ProjectRow.id == project_id)) is None

    def pin(self, project_id: int, version: int | None) -> None:
        """Have a project stay with a version, or, with ``None``, follow the champion again."""
        self._change_project(project_id, pinned_version=version)

    def pinned(self, project_id: int) -> int | None:
        """Return the version that a project stays with; ``None`` where it follows the champion."""
        state = self.project(project_id)
        return None if state is None else state.pinned_version

    def set_rescored(self, project_id: int, version: str | None) -> None:
        """Note that all open tasks of a project have predictions of ``version``."""
        self._change_project(project_id, rescored_version=version)

    def predict_again(self, project_id: int, at: datetime | None = None) -> None:
        """Have a project's open tasks looked at for missing predictions at a moment; ``None`` stands for now."""
        self._change_project(project_id, predict_at=at)

    def predict_next(self, project_id: int, at: datetime, *, claimed: datetime) -> None:
        """Have the next look at a moment, unless somebody has set another one since a look claimed its own."""
        mine = (ProjectRow.id == project_id, ProjectRow.predict_at == claimed)
        with writing(self._engine) as connection:
            connection.execute(update(ProjectRow).where(*mine).values(predict_at=at))

    def add(self, project_id: int) -> bool:
        """Have a project that was never heard of synced and its open tasks predicted; return whether it was new."""
        if self.project(project_id) is not None:
            return False
        self._change_project(project_id, sync_asked=True)
        return True

    # Annotations

    def save(self, annotations: Iterable[tuple[StoredAnnotation, Sequence[Correction]]]) -> int:
        """Keep annotations with their corrections, in place of what was kept under the same numbers.

        One that is older than what is kept changes nothing: calls may overtake each other. What is known of the
        page below stays known until the annotation or its task changes.

        Returns:
            How many are new, or differ from what was kept.
        """
        incoming = {annotation.id: (annotation, corrections) for annotation, corrections in annotations}
        changed = 0
        with writing(self._engine) as connection:
            # Two that bring over the same project must not both find the older state.
            lock_for_writing(connection, *(annotation.project_id for annotation, _ in incoming.values()))
            known = _stamps(connection, incoming)
            rows, kept = [], []
            for number, (annotation, corrections) in incoming.items():
                row = _row(annotation)
                before = known.get(number)
                if before is not None and before["updated_at"] > annotation.updated_at and before["deleted_at"] is None:
                    continue
                if before is not None and before["digest"] == row["digest"]:
                    row["page_problem"] = before["page_problem"]
                changed += before is None or any(before[key] != row[key] for key in _DECISIVE)
                rows.append(row)
                kept.append((number, corrections))
            upsert(connection, AnnotationRow, rows)
            _replace_corrections(connection, kept)
        return changed

    def add_external(self, annotation: StoredAnnotation, corrections: Sequence[Correction] = ()) -> StoredAnnotation:
        """Keep an annotation that did not come from Label Studio, under a number below 0; return it with its number.

        What was kept for the same task from the same source is replaced: who sends again, corrects.
        """
        with writing(self._engine) as connection:
            # One count for all projects: the column is the table's key.
            lock_for_writing(connection, 0, annotation.project_id)
            same = (
                AnnotationRow.project_id == annotation.project_id,
                AnnotationRow.task_id == annotation.task_id,
                AnnotationRow.source == annotation.source,
            )
            number = connection.scalar(select(AnnotationRow.id).where(*same))
            if number is None:
                number = min(connection.scalar(select(func.min(AnnotationRow.id))) or 0, 0) - 1
            row = _row(annotation) | {"id": number}
            upsert(connection, AnnotationRow, [row])
            _replace_corrections(connection, [(number, corrections)])
        return _annotation(row)

    def heads(self, project_id: int) -> list[AnnotationHead]:
        """Return a project's annotations that were not deleted, without their regions, in order of their numbers."""
        chosen = select(*_HEAD).where(AnnotationRow.project_id == project_id, AnnotationRow.deleted_at.is_(None))
        with reading(self._engine) as connection:
            return [AnnotationHead(**row) for row in connection.execute(chosen.order_by(AnnotationRow.id)).mappings()]

    def annotations(self, ids: Iterable[int]) -> Iterator[StoredAnnotation]:
        """Go through annotations by their numbers, some hundreds in memory at a time; unknown numbers are left out."""
        for chunk in _chunks(ids):
            with reading(self._engine) as connection:
                chosen = select(*_ANNOTATION).where(AnnotationRow.id.in_(chunk)).order_by(AnnotationRow.id)
                found = connection.execute(chosen).mappings().all()
            yield from (_annotation(dict(row)) for row in found)

    def live_ids(self, project_id: int) -> dict[int, datetime]:
        """Return the numbers of the annotations that stand in Label Studio, as far as is known, and their changes."""
        chosen = select(AnnotationRow.id, AnnotationRow.updated_at).where(
            AnnotationRow.project_id == project_id,
            AnnotationRow.source == "label_studio",
            AnnotationRow.deleted_at.is_(None),
        )
        with reading(self._engine) as connection:
            return {row.id: row.updated_at for row in connection.execute(chosen)}

    def predictions_of(self, ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
        """Return the predictions that annotations started from, by annotation; those without one are missing."""
        found: dict[int, Mapping[str, Any]] = {}
        with reading(self._engine) as connection:
            for chunk in _chunks(ids):
                chosen = select(AnnotationRow.id, AnnotationRow.prediction).where(
                    AnnotationRow.id.in_(chunk), AnnotationRow.prediction.is_not(None)
                )
                found |= {row.id: row.prediction for row in connection.execute(chosen)}
        return found

    def mark_deleted(self, ids: Collection[int]) -> None:
        """Note that annotations are gone from Label Studio; what is known of them stays."""
        now = datetime.now(timezone.utc)
        with writing(self._engine) as connection:
            for chunk in _chunks(sorted(ids)):
                gone = and_(AnnotationRow.id.in_(chunk), AnnotationRow.deleted_at.is_(None))
                connection.execute(update(AnnotationRow).where(gone).values(deleted_at=now))

    def set_page_problems(self, problems: Mapping[int, str | None]) -> None:
        """Note why the pages below annotations could not be read, or, with ``None``, that they could."""
        with writing(self._engine) as connection:
            for number, problem in sorted(problems.items()):
                differs = AnnotationRow.page_problem.is_distinct_from(problem)
                change = update(AnnotationRow).where(AnnotationRow.id == number, differs)
                connection.execute(change.values(page_problem=problem))

    def unusable(self, project_id: int) -> list[int]:
        """Return the numbers of the annotations whose regions could not be used when they were last looked at."""
        chosen = select(AnnotationRow.id).where(
            AnnotationRow.project_id == project_id,
            AnnotationRow.problem.is_not(None),
            AnnotationRow.deleted_at.is_(None),
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(chosen.order_by(AnnotationRow.id)))

    def corrections(self, annotation_id: int) -> list[Correction]:
        """Return the corrections of an annotation, in the order in which they were found."""
        chosen = select(*_CORRECTION).where(CorrectionRow.annotation_id == annotation_id).order_by(CorrectionRow.id)
        with reading(self._engine) as connection:
            rows = connection.execute(chosen).mappings().all()
        return [Correction(**dict(row) | {"box": tuple(row["box"]) if row["box"] else None}) for row in rows]

    def _change_project(self, project_id: int, **values: Any) -> None:
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            same = ProjectRow.id == project_id
            if connection.execute(update(ProjectRow).where(same).values(**values)).rowcount == 0:
                connection.execute(insert(ProjectRow).values(**{"id": project_id, "sync_asked": False} | values))


_PROJECT = tuple(ProjectRow.__table__.columns)
_ANNOTATION = tuple(column for column in AnnotationRow.__table__.columns if column.name != "digest")
_HEAD = (
    *(AnnotationRow.__table__.columns[field.name] for field in fields(AnnotationHead) if field.name != "problem"),
    func.coalesce(AnnotationRow.problem, AnnotationRow.page_problem).label("problem"),
)
_CORRECTION = tuple(CorrectionRow.__table__.columns[field.name] for field in fields(Correction))
#: What makes an annotation another one, for learning.
_DECISIVE = ("digest", "was_cancelled", "ground_truth", "problem", "page_problem", "deleted_at")


def _stamps(connection: Connection, ids: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    wanted = [AnnotationRow.__table__.columns[name] for name in ("id", "updated_at", *_DECISIVE)]
    found: dict[int, Mapping[str, Any]] = {}
    for chunk in _chunks(ids):
        rows = connection.execute(select(*wanted).where(AnnotationRow.id.in_(chunk))).mappings()
        found |= {row["id"]: row for row in rows}
    return found


def _replace_corrections(connection: Connection, corrections: Sequence[tuple[int, Sequence[Correction]]]) -> None:
    for chunk in _chunks(number for number, _ in corrections):
        connection.execute(delete(CorrectionRow).where(CorrectionRow.annotation_id.in_(chunk)))
    rows = [
        {field.name: getattr(item, field.name) for field in fields(Correction)}
        | {"annotation_id": number, "region_id": item.region_id[:_LONGEST_ID]}
        for number, items in corrections
        for item in items
    ]
    if rows:
        connection.execute(insert(CorrectionRow), rows)


def _row(annotation: StoredAnnotation) -> dict[str, Any]:
    row = {field.name: getattr(annotation, field.name) for field in fields(StoredAnnotation)}
    copies = {"result": list(annotation.result), "task_data": dict(annotation.task_data), "digest": annotation.digest}
    if annotation.model_version is not None:
        copies["model_version"] = annotation.model_version[:_LONGEST_ID]
    return row | copies


def _annotation(row: Mapping[str, Any]) -> StoredAnnotation:
    return StoredAnnotation(**{field.name: row[field.name] for field in fields(StoredAnnotation)})


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    wanted = list(ids)
    for start in range(0, len(wanted), _CHUNK):
        yield wanted[start : start + _CHUNK]
