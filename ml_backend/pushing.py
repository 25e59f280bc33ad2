"""Predicting tasks again and pushing what they lack."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from active_learning.clusters import MOST_CLUSTERS, nearest
from ml_backend.errors import ImageFetchError
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.lineup import Lineup
from ml_backend.logs import get_logger
from ml_backend.predictor import NoImageError, Reader, TaskPredictor
from ml_backend.rescoring_store import RescoringStore, TaskImage
from ml_backend.task_board import TaskBoard
from model.document import Document
from model.errors import ModelError

#: Predictions that wait to be pushed, at most.
PUSHED_BEHIND = 4

_FIRST_CLUSTERS = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes what tasks lack; threads may share it.

    Attributes:
        board: Label Studio.
        predictor: Predicts single tasks.
        memory: Keeps which files the tasks' images are, and the groups of documents.
        queue: Takes tasks whose image cannot be fetched now.
    """

    board: TaskBoard
    predictor: TaskPredictor
    memory: RescoringStore
    queue: JobQueue

    def push(
        self, project_id: int, task_ids: Sequence[int], lineup: Lineup[Reader], *, after_each: Callable[[], object]
    ) -> Iterator[int]:
        """Push what is lacking, task after task; give how many predictions each got."""
        rescoring = self.memory.rescoring(project_id)
        config = parse_label_config(self.board.project(project_id).label_config)
        known = self.memory.task_images(project_id, task_ids)
        tasks: dict[int, Task] = {}
        lacks: dict[int, set[str]] = {}
        for name in lineup.versions:
            for task in self.board.open_tasks(project_id, task_ids, lacking=name):
                tasks[task.id] = task
                lacks.setdefault(task.id, set()).add(name)
        centroids = rescoring.centroids if rescoring is not None and rescoring.centroids else ()
        first = _first_cluster(rescoring.started_at) if rescoring is not None else 0
        # One thread pushes while this one names the fields of the next document; more would meet at Label Studio's
        # database, which by default is SQLite.
        with ThreadPoolExecutor(1, thread_name_prefix="push") as pusher:
            under_way: deque[Future[list[int]]] = deque()
            for task in tasks.values():
                made = self._made(task, config, lineup, known.get(task.id, {}), lacks[task.id], centroids, first)
                under_way.append(pusher.submit(self.board.create_predictions, made))
                while len(under_way) > PUSHED_BEHIND:
                    yield len(under_way.popleft().result())
                after_each()
            while under_way:
                yield len(under_way.popleft().result())

    def _made(
        self,
        task: Task,
        config: LabelConfig,
        lineup: Lineup[Reader],
        known: Mapping[str, TaskImage],
        lacking: set[str],
        centroids: Sequence[Sequence[float]],
        first: int,
    ) -> list[Prediction]:
        """Return what a task lacks; nothing where its image cannot be used."""
        try:
            return list(self._predictions(task, config, lineup, known, lacking, centroids, first))
        except ImageFetchError as error:
            # The image's host may come back; the other tasks need not wait for it.
            _log.warning("task_left_to_scoring", task=task.id, error=str(error))
            self.queue.enqueue_scoring(lineup.project_id or task.project, [task.id])
        except (ModelError, NoImageError) as error:
            # Only a person can mend that; Label Studio offers such tasks last.
            _log.warning("task_without_prediction", task=task.id, error=str(error))
        return []

    def _predictions(
        self,
        task: Task,
        config: LabelConfig,
        lineup: Lineup[Reader],
        known: Mapping[str, TaskImage],
        lacking: set[str],
        centroids: Sequence[Sequence[float]],
        first: int,
    ) -> Iterator[Prediction]:
        cluster = None
        for reader, version in lineup.of_task(task.id):
            documents = self.predictor.read_again(task, config, reader, known, lineup.project_id or task.project)
            if cluster is None:
                # Where both predict, the champion's group counts for both: Label Studio looks at the larger number.
                cluster = _group(documents.values(), centroids)
            if version in lacking:
                prediction = self.predictor.convert(documents, task, config, version)
                number = None if cluster is None else first + cluster
                yield Prediction(task=task.id, cluster=number, **prediction)


def _group(documents: Iterable[Document], centroids: Sequence[Sequence[float]]) -> int | None:
    embedding = next((document.embedding for document in documents if document.embedding is not None), None)
    return None if embedding is None else nearest(embedding, centroids)


def _first_cluster(started_at: datetime) -> int:
    """Return the number of a rescoring's first cluster, above all of earlier ones.

    Of a task's predictions of all versions, Label Studio counts the largest cluster as solved: it must be the newest.
    """
    minutes = int((started_at - _FIRST_CLUSTERS).total_seconds() // 60)
    return max(0, minutes) * MOST_CLUSTERS
