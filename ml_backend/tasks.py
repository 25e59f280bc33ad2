"""Every function that RQ calls. Each takes numbers and texts, and is safe to repeat.

RQ calls a function by its name and cannot hand it services, so that this is the one place where they are found rather
than passed: the worker provides them once, before it takes its first job. What may be called, and with which
arguments, is registered in :mod:`ml_backend.jobs.registered`.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from ml_backend.container import TaskServices, build_training
from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.order.scoring import score
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from model.errors import ModelError

if TYPE_CHECKING:
    from ml_backend.learn.training_run import TrainingServices

_NO_MODELS = "has no models"

_log = get_logger(__name__)


class WorkerNotReadyError(BackendError):
    """A job in a process that has nothing to do it with."""

    hint = "Start the worker with `python -m ml_backend.cli.worker`, not with `rq worker`."


_services = TaskServices()


def provide(services: TaskServices) -> None:
    """Set what the jobs of this process work with."""
    global _services
    _services = services


def score_task(project_id: int, task_id: int, done: int = 0) -> str:
    """Run :func:`ml_backend.order.scoring.score`.

    Raises:
        BackendError: If it is worth trying again, or the worker was started wrongly.
        EngineError: If an engine fails.
    """
    return score(_need(_services.scoring, _NO_MODELS), project_id, task_id, done)


def sync_project(project_id: int) -> str:
    """Make a project's annotations equal to Label Studio's, and absorb feedback that waited for it.

    Returns:
        What was found, in a few words.

    Raises:
        BackendError: If Label Studio does not answer, or the worker was started wrongly. The events stay open, so that
            the next job does what this one could not.
    """
    report = _need(_services.synchroniser, "cannot sync").sync(project_id)
    absorbed = _services.absorb(project_id) if _services.absorb is not None else 0
    if _services.queue is not None and (report.changed or report.deleted or absorbed):
        _services.queue.enqueue_learning(project_id)
    more = f", {absorbed} from feedback" if absorbed else ""
    return f"{report.changed} changed, {report.deleted} deleted, {report.events} events{more}"


def find_projects() -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.discover`."""
    return f"{len(_need(_services.rescorer, _NO_MODELS).discover())} found"


def rescore_project(project_id: int) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.rescore`; what the project has to teach is looked at, too."""
    outcome = _need(_services.rescorer, _NO_MODELS).rescore(project_id)
    if _services.queue is not None:
        _services.queue.enqueue_learning(project_id)
    return outcome


def learn_project(project_id: int) -> str:
    """Run :meth:`ml_backend.learn.project_learning.ProjectLearner.learn`, and have open tasks named again by it."""
    outcome = _need(_services.learner, _NO_MODELS).learn(project_id)
    if _services.queue is not None:
        _services.queue.enqueue_renaming(project_id)
    return outcome


def rename_open_tasks(project_id: int) -> str:
    """Run :meth:`ml_backend.order.renaming.Renamer.rename`."""
    return _need(_services.renamer, _NO_MODELS).rename(project_id)


def rescore_chunk(project_id: int, version: str, chunk: str) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.rescore_chunk`."""
    return _need(_services.rescorer, _NO_MODELS).rescore_chunk(project_id, version, chunk)


def finish_rescoring(project_id: int, version: str) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.finish`."""
    return _need(_services.rescorer, _NO_MODELS).finish(project_id, version)


def order_project(project_id: int) -> str:
    """Run :meth:`ml_backend.order.task_order.Orderer.order`."""
    orderer = _need(_services.rescorer, _NO_MODELS).orderer
    order = None if orderer is None else orderer.order(project_id)
    return "nothing to order" if order is None else f"{order.tasks} in order, {order.moved} moved"


def search_labels(project_id: int, key: str) -> str:
    """Run :meth:`ml_backend.quality.label_search.LabelSearch.search`."""
    return _need(_services.label_search, _NO_MODELS).search(project_id, key)


def tidy() -> str:
    """Run :meth:`ml_backend.ops.retention.Tidier.tidy`.

    Raises:
        BackendError: If the store cannot be read or written, or the worker was started wrongly.
        ModelError: If MLflow cannot be read or written.
    """
    done = _need(_services.tidier, "cannot tidy up").tidy()
    return "a backup is being made" if done is None else f"{done.versions} versions, {done.events} events"


def train(run_id: int) -> str:
    """Do a training run, then search the labels that it learned from for wrong ones.

    It runs in a process that RQ forks for it, and imports what it needs there: threads do not survive a fork.

    Raises:
        BackendError: If the store or Label Studio cannot be used before the run begins; the run stays pending.
        EngineError: If the OCR engine's models are missing or damaged.
    """
    from ml_backend.learn import training_run

    settings = Settings()
    if settings.inference_threads:
        import torch

        torch.set_num_threads(settings.inference_threads)
    services = build_training(settings)
    outcome = training_run.train(services, run_id)
    run = services.runs.run(run_id)
    if outcome in {"promoted", "kept"} and run is not None:
        _search_labels_after(settings, services, run.project_id)
    return outcome


def _search_labels_after(settings: Settings, services: TrainingServices, project_id: int) -> None:
    """Renew the queue of doubtful labels; the run is done, whatever becomes of this."""
    from ml_backend.quality.label_error_queue import renew_queue

    try:
        with closing(Store(settings.store_url)) as store:
            renew_queue(services.label_studio, services.collector, store, services.shipped, project_id)
    except (BackendError, ModelError) as error:
        _log.warning("labels_not_searched", project=project_id, error=str(error))


_Service = TypeVar("_Service")


def _need(service: _Service | None, lack: str) -> _Service:
    if service is None:
        raise WorkerNotReadyError(f"This worker {lack}.", WorkerNotReadyError.hint)
    return service
