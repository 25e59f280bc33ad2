"""The background job: predict one task and push the prediction, so that the next annotator finds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ml_backend.errors import BackendError, ImageRefusedError, LabelConfigError, NotFoundError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Prediction, Project, Task
from ml_backend.logs import get_logger
from ml_backend.predictor import ModelSource, NoImageError, TaskPredictor
from ml_backend.services import reason_of
from model.errors import ImageError

_log = get_logger(__name__)

# Trying again would end the same way until a person changes the task or the project.
_FINAL = (ImageError, ImageRefusedError, NoImageError, LabelConfigError)


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


@dataclass(frozen=True, slots=True)
class ScoringServices:
    """What the job works with."""

    label_studio: ScoringClient
    models: ModelSource
    predictor: TaskPredictor


class WorkerNotReadyError(BackendError):
    """A job that runs in a process without models."""

    hint = "Start the worker with `python -m ml_backend.jobs.worker`, not with `rq worker`."


_services: ScoringServices | None = None


def provide(services: ScoringServices | None) -> None:
    """Set what :func:`score_task` works with in this process.

    RQ calls a function by its name and can hand it numbers only, so this is the one place where services are found
    rather than passed. The worker sets them once, before it takes its first job.
    """
    global _services
    _services = services


def score_task(project_id: int, task_id: int) -> str:
    """Run :func:`score` with the worker's services: what RQ calls.

    Raises:
        BackendError: If it is worth trying again, or the worker was started wrongly.
        EngineError: If an engine fails.
    """
    if _services is None:
        raise WorkerNotReadyError("This worker has no models.", WorkerNotReadyError.hint)
    return score(_services, project_id, task_id)


def score(services: ScoringServices, project_id: int, task_id: int) -> str:
    """Predict a task and push what the present versions say, unless it is there; safe to repeat.

    Returns:
        ``pushed``; ``present`` where there was one; ``gone`` where the task was deleted; ``hopeless`` where only a
        person can help.

    Raises:
        BackendError: If Label Studio or the image's host does not answer, for RQ to try again.
        EngineError: If an engine fails.
    """
    lineup = services.models.lineup(project_id)
    client = services.label_studio
    try:
        task = client.task(task_id)
        if not _missing(lineup.versions, task.predictions):
            return _done("present", task_id)
        config = parse_label_config(client.project(task.project or project_id).label_config)
        made = services.predictor.predict(services.predictor.fetch(task, config), task, config, lineup)
        # Label Studio may have retrieved one while this one was made; its editor would show both.
        missing = _missing(lineup.versions, client.predictions(task_id=task_id))
        if not missing:
            return _done("present", task_id)
        client.create_predictions(
            Prediction(task=task_id, **prediction) for prediction in made if prediction["model_version"] in missing
        )
    except NotFoundError:
        return _done("gone", task_id)
    except _FINAL as error:
        return _done("hopeless", task_id, reason=reason_of(error), error=str(error))
    return _done("pushed", task_id)


def _missing(versions: Iterable[str], predictions: Iterable[Prediction]) -> set[str]:
    return set(versions).difference(prediction.model_version for prediction in predictions)


def _done(outcome: str, task_id: int, **details: str) -> str:
    _log.info("task_scored", task=task_id, outcome=outcome, **details)
    return outcome
