"""What the protocol's views call: predictions for a batch of tasks, each on its own, within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ml_backend.errors import BackendError, FileTooLargeError, ImageFetchError, ImageRefusedError, LabelConfigError
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.records import Task
from ml_backend.observability.logs import get_logger
from ml_backend.observability.metrics import Metrics
from ml_backend.predict.host_slots import HostSlots
from ml_backend.predict.interactive import DrawnRegions
from ml_backend.predict.prefetch import PageAddress, PagePrefetcher, TimeBudget
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.task_predictor import (
    JsonObject,
    ModelSource,
    NoImageError,
    Reader,
    TaskPredictor,
    TimeUpError,
    TooManyPagesError,
)
from model.errors import EngineError, ImageBusyError, ImageError, ImageTooLargeError, ModelError

#: Label Studio takes no longer to store the answer to one request.
STORED_SECONDS = 15.0

Answer = JsonObject | list[JsonObject]
"""One element of ``results``: a prediction, a list of two of different versions, or an empty list."""

_log = get_logger(__name__)

# The most special first.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (ImageTooLargeError, "too_large"),
    (FileTooLargeError, "too_large"),
    (ImageError, "image"),
    (ImageBusyError, "busy"),
    (EngineError, "engine"),
    (ModelError, "model"),
    (ImageRefusedError, "image_refused"),
    (ImageFetchError, "image_fetch"),
    (NoImageError, "no_image"),
    (TooManyPagesError, "pages"),
    (TimeUpError, "budget"),
    (BackendError, "label_studio"),
)


class ScoringQueue(Protocol):
    """Where tasks go that are to be scored in the background."""

    def enqueue_scoring(self, project_id: int, task_ids: Sequence[int]) -> int:
        """Hand tasks to the background job; those that wait there already are not added again.

        Returns:
            How many were added.

        Raises:
            BackendError: If the queue cannot be reached.
        """
        ...

    def answer_begun(self, task_ids: Sequence[int], seconds: float) -> None:
        """Keep the background job from storing predictions of tasks that Label Studio has asked for.

        Label Studio stores an answer only once it has all of it, so that it cannot say what is under way.

        Args:
            task_ids: The tasks of the answer.
            seconds: For how long from now; a later call replaces an earlier one.

        Raises:
            BackendError: If the queue cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What one ``/predict`` asks for.

    Attributes:
        tasks: In the order of the answer; ``None`` stands for one that could not be understood.
        label_config: The project's labelling configuration, XML.
        project_id: The project's number, ``None`` where it was not said.
        drawn: The parts of the regions just drawn, for interactive pre-annotation; ``None`` otherwise.
    """

    tasks: Sequence[Task | None]
    label_config: str
    project_id: int | None = None
    drawn: Sequence[Mapping[str, Any]] | None = None


class PredictionService:
    """Answers ``/predict``: one element a task, always, in order.

    A task that fails does not touch the others. Before each page the time is looked at: if what is left of the budget
    is less than the slowest page of this batch has taken, the rest is left to the background job, and so is a task
    whose pages will not all fit. What was read of it is kept for that job. At ``s`` seconds a card a budget of ``b``
    seconds therefore serves about ``b / s - 1`` cards in one batch (80 s and 1 s a card: 79), divided by the number of
    batches that are predicted at the same time.

    Args:
        models: Says which models answer for which project. A batch ends with those that it began with.
        predictor: Predicts single tasks.
        drawn_regions: Reads what people draw.
        queue: Takes the tasks that got no prediction.
        metrics: Where outcomes are counted.
        budget_seconds: Time for one batch, above 0.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        models: ModelSource,
        predictor: TaskPredictor,
        drawn_regions: DrawnRegions,
        queue: ScoringQueue,
        metrics: Metrics,
        *,
        budget_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._predictor = predictor
        self._drawn_regions = drawn_regions
        self._queue = queue
        self._metrics = metrics
        self._budget = budget_seconds
        self._clock = clock
        # Shared by all batches, so that many requests do not open connections without bound.
        self._fetchers = HostSlots()
        metrics.models_serving(models.versions)

    def model_version(self, project_id: int | None = None) -> str:
        """Return the version that ``/setup``, ``/versions`` and predictions say alike for a project."""
        return self._models.serving(project_id).version

    def model_versions(self, project_id: int | None = None) -> tuple[str, ...]:
        """Return every version that a project's predictions carry now, or that any project's do."""
        return self._models.versions if project_id is None else self._models.serving(project_id).versions

    def model_problems(self) -> Mapping[int, str]:
        """Return what is wrong with the versions that should serve, by project."""
        return self._models.problems

    def close(self) -> None:
        """Stop fetching ahead, and looking for new versions."""
        self._models.close()
        self._fetchers.close()

    def predict(self, batch: Batch) -> tuple[list[Answer], str]:
        """Return one prediction, or one empty list, for each task of the batch, in order, and their version."""
        deadline = self._clock() + self._budget
        serving = self._models.serving(batch.project_id)
        try:
            config = parse_label_config(batch.label_config)
        except LabelConfigError as error:
            _log.warning("label_config_unusable", project=batch.project_id, error=str(error))
            for _ in batch.tasks:
                self._metrics.task_empty("label_config")
            return [[] for _ in batch.tasks], serving.version
        if batch.drawn is not None and len(batch.tasks) == 1:
            pace = TimeBudget(deadline, self._clock)
            return [self._predict_drawn(batch.tasks[0], config, batch.drawn, serving, pace)], serving.version
        answers, left = [], []
        numbers = [task.id for task in batch.tasks if task is not None and task.id > 0]
        is_told = self._keep_off(numbers, self._budget + STORED_SECONDS)
        pace = TimeBudget(deadline, self._clock)
        places = [(task.id, self._pages(task, config)) if task is not None else (0, ()) for task in batch.tasks]
        fetch = partial(self._predictor.fetch, project_id=batch.project_id)
        ahead = PagePrefetcher(self._fetchers, fetch, places)
        try:
            for place, task in enumerate(batch.tasks):
                answer = self._predict_one(place, task, config, ahead, pace, serving)
                answers.append(answer)
                if not answer and task is not None:
                    left.append(task.id)
        finally:
            ahead.close()
        if is_told:
            self._keep_off([number for number in numbers if number not in left], STORED_SECONDS)
            self._keep_off(left, 0.0)
        self._leave_to_background(batch.project_id, left)
        return answers, serving.version

    def _pages(self, task: Task, config: LabelConfig) -> Sequence[PageAddress]:
        """Return where the pages of a task are; none where that fails, which shows again when it is its turn."""
        try:
            return list(self._predictor.pages(task, config).items())
        except BackendError:
            return ()

    def _predict_one(
        self,
        place: int,
        task: Task | None,
        config: LabelConfig,
        ahead: PagePrefetcher,
        pace: TimeBudget,
        serving: ServingModels[Reader],
    ) -> Answer:
        if task is None:
            return self._empty(task, "task")

        def predict() -> Answer:
            made = self._predictor.predict(
                task,
                config,
                serving,
                file_of=lambda page, _url: ahead.take(place, page, pace.left),
                fits=pace.fits,
            )
            return made if len(made) > 1 else made[0]

        try:
            return self._guarded(task, predict)
        finally:
            pace.pause()

    def _predict_drawn(
        self,
        task: Task | None,
        config: LabelConfig,
        drawn: Sequence[Mapping[str, Any]],
        serving: ServingModels[Reader],
        pace: TimeBudget,
    ) -> Answer:
        if task is None:
            return self._empty(task, "task")
        # One answer is shown at once: where both predict, the champion's.
        reader, version = serving.of_task(task.id)[0]
        return self._guarded(
            task, lambda: self._drawn_regions.predict(task, config, drawn, reader, version, fits=pace.fits)
        )

    def _guarded(self, task: Task, work: Callable[[], Answer]) -> Answer:
        """Do the work for one task; whatever goes wrong is this task's affair alone."""
        try:
            prediction = work()
        except FutureTimeoutError:
            return self._empty(task, "budget")
        except (ModelError, BackendError) as error:
            return self._empty(task, reason_of(error), str(error))
        except Exception:  # noqa: BLE001 - the batch's boundary: one task too few in the answer, and all are lost
            _log.exception("task_failed_unexpectedly", task=task.id)
            return self._empty(task, "unexpected")
        self._metrics.task_predicted()
        return prediction

    def _empty(self, task: Task | None, reason: str, error: str = "") -> Answer:
        self._metrics.task_empty(reason)
        _log.warning("task_without_prediction", task=task.id if task else None, reason=reason, error=error)
        return []

    def _keep_off(self, task_ids: Sequence[int], seconds: float) -> bool:
        """Keep the background job off these tasks; return whether the queue could be told."""
        try:
            self._queue.answer_begun(task_ids, seconds)
        except BackendError as error:
            _log.warning("answer_not_announced", tasks=len(task_ids), error=str(error))
            return False
        return True

    def _leave_to_background(self, project_id: int | None, task_ids: Sequence[int]) -> None:
        """Hand over what got no prediction; a queue that is down costs no more than that."""
        ids = [number for number in task_ids if number > 0]
        if not ids or project_id is None:
            return
        try:
            added = self._queue.enqueue_scoring(project_id, ids)
        except BackendError as error:
            self._metrics.queue_failed()
            _log.error("tasks_not_queued", project=project_id, tasks=len(ids), error=str(error))
            return
        self._metrics.tasks_queued(added)
        _log.info("tasks_queued", project=project_id, tasks=len(ids), added=added)


def reason_of(error: ModelError | BackendError) -> str:
    """Return the one word under which a failure is counted and logged."""
    return next(reason for kind, reason in _REASONS if isinstance(error, kind))
