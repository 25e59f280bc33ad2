"""Open tasks are named again, in place, when a project has learned something: the next page shows it.

The prediction stays the same one under the same version, only its regions change: a page that somebody has open was
begun with it, and can be submitted all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ml_backend.errors import BackendError
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.records import Prediction, Project, Task
from ml_backend.observability.logs import get_logger
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.task_predictor import Reader, TaskPredictor, TimeUpError
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_scores import TaskScores
from model.errors import ModelError

#: So long one job takes; what is left follows in another one, after more urgent work.
TURN_SECONDS = 15.0
#: Tasks that Label Studio is asked for at a time.
TOGETHER = 10

_log = get_logger(__name__)


class RenamingBoard(Protocol):
    """What is asked of Label Studio; :class:`ml_backend.label_studio.client.LabelStudio` is one.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses.
    """

    def project(self, project_id: int) -> Project:
        """Return one project."""
        ...

    def open_tasks(self, project_id: int, task_ids: Sequence[int], *, lacking: str | None = None) -> Iterator[Task]:
        """Go through those of the given tasks that nobody has annotated."""
        ...

    def predictions(self, *, project_id: int | None = None, task_id: int | None = None) -> list[Prediction]:
        """Return the predictions of a task."""
        ...

    def replace_result(self, prediction_id: int, result: Sequence[dict[str, Any]]) -> None:
        """Change the regions of a prediction; one that is gone is no error."""
        ...


class VersionSwitcher(Protocol):
    """Says which models serve a project."""

    def serving(self, project_id: int | None) -> ServingModels[Reader]:
        """Return the models that answer now."""
        ...


@dataclass(frozen=True, slots=True)
class Renamer:
    """Names open tasks again from kept readings; processes may share it.

    Attributes:
        board: Label Studio.
        models: Says which models serve a project, and how its fields are named.
        predictor: Makes documents and predictions.
        memory: Knows which files the tasks' images are.
        scores: Knows which naming made each prediction, and in which order tasks are served.
        queue: Where the rest waits.
        clock: Monotonic seconds.
    """

    board: RenamingBoard
    models: VersionSwitcher
    predictor: TaskPredictor
    memory: RescoringStore
    scores: TaskScores
    queue: JobQueue
    clock: Callable[[], float] = time.monotonic

    def rename(self, project_id: int) -> str:
        """Name the open tasks again whose predictions another naming made, those that people get next first.

        Safe to repeat. What was not read before is left to the next look at the project.

        Raises:
            BackendError: If Label Studio, the store or Redis does not answer.
        """
        deadline = self.clock() + TURN_SECONDS
        serving = self.models.serving(project_id)
        waiting = self.scores.named_otherwise(project_id, serving.version, serving.naming)
        if not waiting or serving.both or serving.challenger is not None:
            return "nothing to name again"
        config = parse_label_config(self.board.project(project_id).label_config)
        done = changed = 0
        while waiting and self.clock() < deadline:
            part, waiting = waiting[:TOGETHER], waiting[TOGETHER:]
            tasks = {task.id: task for task in self.board.open_tasks(project_id, part)}
            self.scores.note_naming(project_id, [number for number in part if number not in tasks], serving.naming)
            for place, number in enumerate(part):
                if self.clock() >= deadline and done:
                    waiting = part[place:] + waiting
                    break
                if number in tasks:
                    changed += self._rename(tasks[number], config, serving)
                    done += 1
        if waiting:
            self.queue.enqueue_renaming(project_id, left=len(waiting))
        _log.info("tasks_named_again", project=project_id, tasks=done, changed=changed, left=len(waiting))
        return f"{changed} of {done} changed" + (f", {len(waiting)} left" if waiting else "")

    def _rename(self, task: Task, config: LabelConfig, serving: ServingModels[Reader]) -> bool:
        """Name one task again; return whether that changed its prediction."""
        project_id = serving.project_id or task.project
        known = self.memory.task_images(project_id, [task.id]).get(task.id, {})
        reader, version = serving.of_task(task.id)[0]
        own = config.for_task(task.data)
        try:
            documents = self.predictor.read_again(task, own, reader, known, project_id, fits=lambda _fetched: False)
        except (TimeUpError, ModelError, BackendError) as error:
            # Nothing is read here: what has no kept reading is predicted by the parts of a rescoring.
            _log.debug("task_not_named_again", task=task.id, error=str(error))
            return False
        made = self.predictor.convert(documents, task, config, version)
        there = [item for item in self.board.predictions(task_id=task.id) if item.model_version == version]
        shown = max(there, key=lambda item: item.id or 0, default=None)
        if shown is None or shown.id is None:
            return False
        changes = bool(list(shown.result) != made["result"])
        if changes:
            self.board.replace_result(shown.id, made["result"])
        self.predictor.note(documents, task, serving, made["score"])
        # The score that Label Studio orders by stays until the tasks are put into order again.
        self.scores.shown(project_id, {task.id: (shown.id, shown.score)})
        return changes
