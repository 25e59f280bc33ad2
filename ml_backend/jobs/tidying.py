"""The background job: remove what is no longer kept."""

from __future__ import annotations

from ml_backend.jobs.sync import SyncNotReadyError
from ml_backend.ops.retention import Tidier

_tidier: Tidier | None = None


def provide(tidier: Tidier | None) -> None:
    """Set what :func:`tidy` works with in this process; the worker does so before it takes its first job."""
    global _tidier
    _tidier = tidier


def tidy() -> str:
    """Run :meth:`ml_backend.ops.retention.Tidier.tidy` with the worker's services: what RQ calls. Safe to repeat.

    Raises:
        BackendError: If the store cannot be read or written, or the worker was started wrongly.
        ModelError: If MLflow cannot be read or written.
    """
    if _tidier is None:
        raise SyncNotReadyError("This worker cannot tidy up.", SyncNotReadyError.hint)
    done = _tidier.tidy()
    return "a backup is being made" if done is None else f"{done.versions} versions, {done.events} events"
