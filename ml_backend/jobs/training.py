"""The background job: one training run. It is imported in the process that RQ forks for it, and only there."""

from __future__ import annotations

from ml_backend import training_run
from ml_backend.settings import Settings
from ml_backend.training_assembly import build_training


def train(run_id: int) -> str:
    """Do a training run that is due: what RQ calls. Safe to repeat; see :func:`ml_backend.training_run.train`.

    Raises:
        BackendError: If the store or Label Studio cannot be used before the run begins; the run stays due.
        EngineError: If the OCR engine's models are missing or damaged.
    """
    settings = Settings()
    if settings.inference_threads:
        import torch

        torch.set_num_threads(settings.inference_threads)
    return training_run.train(build_training(settings), run_id)
