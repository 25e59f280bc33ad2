"""The background job: one training run. It is imported in the process that RQ forks for it, and only there."""

from __future__ import annotations

from contextlib import closing

from ml_backend.errors import BackendError
from ml_backend.learn import training_run
from ml_backend.learn.training_run import TrainingServices
from ml_backend.observability.logs import get_logger
from ml_backend.quality.label_error_queue import renew_queue
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from ml_backend.training_assembly import build_training
from model.errors import ModelError

_log = get_logger(__name__)


def train(run_id: int) -> str:
    """Do a training run that is due: what RQ calls. Safe to repeat; see :func:`ml_backend.learn.training_run.train`.

    After a run that has ended well, the labels that it learned from are searched for wrong ones.

    Raises:
        BackendError: If the store or Label Studio cannot be used before the run begins; the run stays due.
        EngineError: If the OCR engine's models are missing or damaged.
    """
    settings = Settings()
    if settings.inference_threads:
        import torch

        torch.set_num_threads(settings.inference_threads)
    services = build_training(settings)
    outcome = training_run.train(services, run_id)
    run = services.runs.run(run_id)
    if outcome in {"promoted", "kept"} and run is not None:
        _search_labels(settings, services, run.project_id)
    return outcome


def _search_labels(settings: Settings, services: TrainingServices, project_id: int) -> None:
    """Renew the queue of doubtful labels; the run is done, whatever becomes of this."""
    try:
        with closing(Store(settings.store_url)) as store:
            renew_queue(services.label_studio, services.collector, store, services.shipped, project_id)
    except (BackendError, ModelError) as error:
        _log.warning("labels_not_searched", project=project_id, error=str(error))
