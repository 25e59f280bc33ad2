"""The background job: bring a project's annotations over from Label Studio."""

from __future__ import annotations

from ml_backend.errors import BackendError
from ml_backend.syncing import Synchroniser


class SyncNotReadyError(BackendError):
    """A job that runs in a process without services."""

    hint = "Start the worker with `python -m ml_backend.jobs.worker`, not with `rq worker`."


_synchroniser: Synchroniser | None = None


def provide(synchroniser: Synchroniser | None) -> None:
    """Set what :func:`sync_project` works with in this process; the worker does so before it takes its first job."""
    global _synchroniser
    _synchroniser = synchroniser


def sync_project(project_id: int) -> str:
    """Make a project's annotations equal to Label Studio's: what RQ calls. Safe to repeat.

    Returns:
        What was found, in a few words.

    Raises:
        BackendError: If Label Studio does not answer, or the worker was started wrongly. The events stay open, so that
            the next job does what this one could not.
    """
    if _synchroniser is None:
        raise SyncNotReadyError("This worker cannot sync.", SyncNotReadyError.hint)
    report = _synchroniser.sync(project_id)
    return f"{report.changed} changed, {report.deleted} deleted, {report.events} events"
