"""Predict one task and push the prediction, so that the next annotator finds it.

A long document takes several jobs in turn, so that more urgent ones need not wait for its end; what was read stays so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ml_backend.errors import ImageRefusedError, LabelConfigError, NotFoundError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Prediction, Project, Task
from ml_backend.observability.logs import get_logger
from ml_backend.predict.service import reason_of
from ml_backend.predict.task_predictor import ModelSource, NoImageError, TaskPredictor, TimeUpError, TooManyPagesError
from model.errors import ImageError

_log = get_logger(__name__)

# Trying again would end the same way until a person changes the task or the project.
_FINAL = (ImageError, ImageRefusedError, NoImageError, LabelConfigError, TooManyPagesError)

#: So long one job reads pages; then others have their turn.
SLICE_SECONDS = 60.0


class ScoringClient(Protocol):
    """What the job asks of Label Studio; :class:`ml_backend.label_studio.client.LabelStudio` is one.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses.
    """

    def task(self, task_id: int) -> Task:
        """Return one task with its predictions."""
        ...

    def project(self, project_id: int) -> Project:
        """Return one project."""
        ...

    def predictions(self, *, task_id: int | None = None) -> list[Prediction]:
        """Return a task's predictions."""
        ...

    def create_predictions(self, predictions: Iterable[Prediction]) -> list[int]:
        """Store predictions and return their numbers."""
        ...


class RestQueue(Protocol):
    """Where the rest of a long document waits; :class:`ml_backend.jobs.queue.JobQueue` is one."""

    def enqueue_rest(self, project_id: int, task_id: int, done: int) -> bool:
        """Have a task gone on with of which ``done`` pages were read.

        Raises:
            BackendError: If the queue cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScoringServices:
    """What the job works with; without a ``queue`` it reads all pages at once."""

    label_studio: ScoringClient
    models: ModelSource
    predictor: TaskPredictor
    queue: RestQueue | None = None
    clock: Callable[[], float] = time.monotonic


def score(services: ScoringServices, project_id: int, task_id: int, done: int = 0) -> str:
    """Predict a task and push what the present versions say, unless it is there; safe to repeat.

    Args:
        services: What it works with.
        project_id: The task's project.
        task_id: The task.
        done: How many of its pages the jobs before have read.

    Returns:
        ``pushed``; ``present`` where there was one; ``continued`` where another job goes on; ``gone`` where the task
        was deleted; ``hopeless`` where only a person can help.

    Raises:
        BackendError: If Label Studio or the image's host does not answer, for RQ to try again.
        EngineError: If an engine fails.
    """
    serving = services.models.serving(project_id)
    client = services.label_studio
    try:
        task = client.task(task_id)
        if not _missing(serving.versions, task.predictions):
            return _done("present", task_id)
        config = parse_label_config(client.project(task.project or project_id).label_config)
        made = services.predictor.predict(task, config, serving, fits=_Slice(services, done).fits)
        # Label Studio may have retrieved one while this one was made; its editor would show both.
        missing = _missing(serving.versions, client.predictions(task_id=task_id))
        if not missing:
            return _done("present", task_id)
        client.create_predictions(
            Prediction(task=task_id, **prediction) for prediction in made if prediction["model_version"] in missing
        )
    except NotFoundError:
        return _done("gone", task_id)
    except TimeUpError as error:
        assert services.queue is not None
        services.queue.enqueue_rest(project_id, task_id, error.done)
        return _done("continued", task_id, pages=f"{error.done} of {error.pages}")
    except _FINAL as error:
        return _done("hopeless", task_id, reason=reason_of(error), error=str(error))
    return _done("pushed", task_id)


class _Slice:
    """Says when a job has read for long enough; it reads one page more than those before, however long that takes."""

    def __init__(self, services: ScoringServices, done: int) -> None:
        self._clock = services.clock
        self._deadline = services.clock() + SLICE_SECONDS if services.queue is not None else None
        self._least = done + 1
        self._page = 0

    def fits(self, _left: int) -> bool:
        self._page += 1
        return self._deadline is None or self._page <= self._least or self._clock() < self._deadline


def _missing(versions: Iterable[str], predictions: Iterable[Prediction]) -> set[str]:
    return set(versions).difference(prediction.model_version for prediction in predictions)


def _done(outcome: str, task_id: int, **details: str) -> str:
    _log.info("task_scored", task=task_id, outcome=outcome, **details)
    return outcome
