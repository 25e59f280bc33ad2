"""What predicting open tasks keeps: which file each task's image is, and how far the tasks are predicted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import Engine, case, select, update

from ml_backend.i18n import keep
from ml_backend.label_studio.label_config import PageId
from ml_backend.store.engine import reading, upsert, writing
from ml_backend.store.tables import RescoringRow, TaskImageRow

# SQLite takes no more parameters in one statement than some builds allow (999).
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class TaskImage:
    """Which file an image of a task was when it was last fetched.

    Attributes:
        url: Where it was fetched from.
        image_key: Hash of its content, under which its reading is kept.
    """

    url: str
    image_key: str


@dataclass(frozen=True, slots=True)
class Rescoring:
    """How far a project's open tasks are predicted by a version.

    Attributes:
        version: The model version, as predictions carry it; empty while it is not known.
        started_at: When the latest batch of tasks was begun, or since when there is the problem.
        finished_at: When the last of them was done; ``None`` until then.
        pushed: How many predictions of the batch were pushed.
        open_tasks: How many open tasks Label Studio had when it was last asked.
        lacking: How many of them lacked a prediction of the version, less what was pushed since.
        checked_at: When it was last asked; ``None`` for never.
        problem: Why none of them can be predicted, in one word; ``None`` where they can.
        problem_text: The same in a sentence.
    """

    project_id: int
    version: str
    started_at: datetime
    finished_at: datetime | None
    pushed: int
    open_tasks: int = 0
    lacking: int = 0
    checked_at: datetime | None = None
    problem: str | None = None
    problem_text: str | None = None


class RescoringStore:
    """Keeps task images and rescorings; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember_images(self, project_id: int, task_id: int, images: Mapping[PageId, TaskImage]) -> None:
        """Note which files some of a task's images are."""
        rows = [
            {
                "project_id": project_id,
                "task_id": task_id,
                "image": page.image,
                "item_index": page.item_index,
                "url": image.url,
                "image_key": image.image_key,
            }
            for page, image in images.items()
        ]
        with writing(self._engine) as connection:
            upsert(connection, TaskImageRow, rows)

    def task_images(self, project_id: int, task_ids: Iterable[int] | None = None) -> dict[int, dict[PageId, TaskImage]]:
        """Return what is known of the images of some tasks, or of all, by task; pages in their order."""
        chosen = select(
            TaskImageRow.task_id, TaskImageRow.image, TaskImageRow.item_index, TaskImageRow.url, TaskImageRow.image_key
        ).order_by(TaskImageRow.task_id, TaskImageRow.image, TaskImageRow.item_index)
        chosen = chosen.where(TaskImageRow.project_id == project_id)
        statements = [chosen]
        if task_ids is not None:
            wanted = list(task_ids)
            chunks = (wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK))
            statements = [chosen.where(TaskImageRow.task_id.in_(chunk)) for chunk in chunks]
        found: dict[int, dict[PageId, TaskImage]] = {}
        with reading(self._engine) as connection:
            for statement in statements:
                for task, name, item_index, url, key in connection.execute(statement):
                    found.setdefault(task, {})[PageId(name, item_index)] = TaskImage(url, key)
        return found

    def begin_rescoring(self, project_id: int, version: str) -> Rescoring:
        """Note that a project's open tasks are to be scored with ``version``; what was noted before is replaced."""
        row = {
            "project_id": project_id,
            "version": version,
            "started_at": datetime.now(timezone.utc),
            "finished_at": None,
            "pushed": 0,
        }
        with writing(self._engine) as connection:
            upsert(connection, RescoringRow, [row])
        rescoring = self.rescoring(project_id)
        assert rescoring is not None
        return rescoring

    def rescoring(self, project_id: int) -> Rescoring | None:
        """Return the latest rescoring of a project, ``None`` where there was none."""
        return self.rescorings(project_id).get(project_id)

    def rescorings(self, project_id: int | None = None) -> dict[int, Rescoring]:
        """Return the latest rescoring of a project, or of each; projects without one are missing."""
        chosen = select(*RescoringRow.__table__.columns)
        if project_id is not None:
            chosen = chosen.where(RescoringRow.project_id == project_id)
        with reading(self._engine) as connection:
            rows = connection.execute(chosen.order_by(RescoringRow.project_id)).mappings().all()
        return {row["project_id"]: Rescoring(**row) for row in rows}

    def note_checked(
        self,
        project_id: int,
        version: str,
        *,
        open_tasks: int = 0,
        lacking: int = 0,
        problem: str | None = None,
        problem_text: str | None = None,
    ) -> Rescoring:
        """Note how many open tasks there are, and how many of them lack a version's prediction, or why none gets one.

        Args:
            project_id: The project.
            version: The version that serves; empty where that is not known.
            open_tasks: How many open tasks there are.
            lacking: How many of them lack the version's prediction.
            problem: Why none of them can be predicted, in one word.
            problem_text: The same in a sentence.
        """
        now = datetime.now(timezone.utc)
        before = self.rescoring(project_id)
        row: dict[str, object] = {
            "project_id": project_id,
            "version": version,
            "open_tasks": open_tasks,
            "lacking": lacking,
            "checked_at": now,
            "problem": problem,
            "problem_text": None if problem_text is None else keep(problem_text),
        }
        if before is None or before.version != version or before.problem != problem:
            row |= {"started_at": now, "finished_at": None, "pushed": 0}
        with writing(self._engine) as connection:
            if before is None or "pushed" in row:
                upsert(connection, RescoringRow, [row])
            else:
                same = RescoringRow.project_id == project_id
                connection.execute(update(RescoringRow).where(same).values(**row))
        found = self.rescoring(project_id)
        assert found is not None
        return found

    def count_pushed(self, project_id: int, version: str, pushed: int) -> bool:
        """Add to what was pushed; return whether ``version`` is still the one to score with."""
        left = case((RescoringRow.lacking > pushed, RescoringRow.lacking - pushed), else_=0)
        return self._change(project_id, version, pushed=RescoringRow.pushed + pushed, lacking=left)

    def finish_rescoring(self, project_id: int, version: str) -> bool:
        """Note that all open tasks are scored; return whether ``version`` is still the one to score with."""
        return self._change(project_id, version, finished_at=datetime.now(timezone.utc))

    def _change(self, project_id: int, version: str, **values: object) -> bool:
        mine = (RescoringRow.project_id == project_id, RescoringRow.version == version)
        with writing(self._engine) as connection:
            return connection.execute(update(RescoringRow).where(*mine).values(**values)).rowcount == 1
