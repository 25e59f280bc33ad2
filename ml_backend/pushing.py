"""Predicting tasks again and pushing what they lack."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ml_backend.errors import ImageFetchError
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.label_config import LabelConfig, PageId, parse_label_config
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.lineup import Lineup
from ml_backend.logs import get_logger
from ml_backend.predictor import NoImageError, Reader, TaskPredictor, TooManyPagesError
from ml_backend.rescoring_store import RescoringStore, TaskImage
from ml_backend.task_board import TaskBoard
from ml_backend.task_scores import TaskScores
from model.errors import ModelError

#: Predictions that wait to be pushed, at most.
PUSHED_BEHIND = 4
#: Pages of one task that are read here at most, if nobody has read them: reading takes a second each, and a part of a
#: rescoring has little time. The job for single tasks takes what it needs.
READ_HERE = 8

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes what tasks lack; threads may share it.

    Attributes:
        board: Label Studio.
        predictor: Predicts single tasks.
        memory: Keeps which files the tasks' images are.
        queue: Takes tasks whose image cannot be fetched now.
        scores: Is told which prediction is each task's; ``None`` tells nobody.
    """

    board: TaskBoard
    predictor: TaskPredictor
    memory: RescoringStore
    queue: JobQueue
    scores: TaskScores | None = None

    def push(
        self, project_id: int, task_ids: Sequence[int], lineup: Lineup[Reader], *, after_each: Callable[[], object]
    ) -> Iterator[int]:
        """Push what is lacking, task after task; give how many predictions each got."""
        config = parse_label_config(self.board.project(project_id).label_config)
        known = self.memory.task_images(project_id, task_ids)
        tasks: dict[int, Task] = {}
        lacks: dict[int, set[str]] = {}
        for name in lineup.versions:
            for task in self.board.open_tasks(project_id, task_ids, lacking=name):
                tasks[task.id] = task
                lacks.setdefault(task.id, set()).add(name)
        # One thread pushes while this one names the fields of the next document; more would meet at Label Studio's
        # database, which by default is SQLite.
        with ThreadPoolExecutor(1, thread_name_prefix="push") as pusher:
            under_way: deque[tuple[list[Prediction], Future[list[int]]]] = deque()
            for task in tasks.values():
                made = self._made(task, config, lineup, known.get(task.id, {}), lacks[task.id])
                under_way.append((made, pusher.submit(self.board.create_predictions, made)))
                while len(under_way) > PUSHED_BEHIND:
                    yield self._pushed(project_id, lineup.version, *under_way.popleft())
                after_each()
            while under_way:
                yield self._pushed(project_id, lineup.version, *under_way.popleft())

    def _pushed(self, project_id: int, version: str, made: Sequence[Prediction], pushing: Future[list[int]]) -> int:
        """Wait for what is being pushed, and note the numbers of the predictions that the order goes by."""
        numbers = pushing.result()
        if self.scores is not None:
            pairs = zip(numbers, made, strict=True)
            self.scores.shown(
                project_id, {item.task: (number, item.score) for number, item in pairs if item.model_version == version}
            )
        return len(numbers)

    def _made(
        self,
        task: Task,
        config: LabelConfig,
        lineup: Lineup[Reader],
        known: Mapping[PageId, TaskImage],
        lacking: set[str],
    ) -> list[Prediction]:
        """Return what a task lacks; nothing where its image cannot be used."""
        try:
            unread = sum(page not in known for page in self.predictor.pages(task, config))
            if unread > READ_HERE:
                _log.info("task_left_to_scoring", task=task.id, unread=unread)
                self.queue.enqueue_scoring(lineup.project_id or task.project, [task.id])
                return []
            return list(self._predictions(task, config, lineup, known, lacking))
        except ImageFetchError as error:
            # The image's host may come back; the other tasks need not wait for it.
            _log.warning("task_left_to_scoring", task=task.id, error=str(error))
            self.queue.enqueue_scoring(lineup.project_id or task.project, [task.id])
        except (ModelError, NoImageError, TooManyPagesError) as error:
            # Only a person can mend that; Label Studio offers such tasks last.
            _log.warning("task_without_prediction", task=task.id, error=str(error))
        return []

    def _predictions(
        self,
        task: Task,
        config: LabelConfig,
        lineup: Lineup[Reader],
        known: Mapping[PageId, TaskImage],
        lacking: set[str],
    ) -> Iterator[Prediction]:
        for reader, version in lineup.of_task(task.id):
            documents = self.predictor.read_again(task, config, reader, known, lineup.project_id or task.project)
            if version in lacking:
                # No cluster: Label Studio would take clusters in turn, where the order sees to variety itself.
                prediction = Prediction(task=task.id, **self.predictor.convert(documents, task, config, version))
                if version == lineup.version:
                    self.predictor.note(documents, task, lineup, prediction.score or 0.0)
                yield prediction
