"""The background job: bring a project's annotations over from Label Studio."""

from __future__ import annotations

from collections.abc import Callable

from ml_backend.errors import BackendError
from ml_backend.learn.annotation_sync import Synchroniser


class SyncNotReadyError(BackendError):
    """A job that runs in a process without services."""

    hint = "Start the worker with `python -m ml_backend.jobs.worker`, not with `rq worker`."


Absorb = Callable[[int], int]
"""Makes annotations of a project's feedback that has waited for Label Studio; returns of how many."""


def _nothing(_project_id: int) -> int:
    return 0


_synchroniser: Synchroniser | None = None
_absorb: Absorb = _nothing


def provide(synchroniser: Synchroniser | None, absorb: Absorb = _nothing) -> None:
    """Set what :func:`sync_project` works with in this process; the worker does so before it takes its first job."""
    global _synchroniser, _absorb
    _synchroniser, _absorb = synchroniser, absorb


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
    absorbed = _absorb(project_id)
    more = f", {absorbed} from feedback" if absorbed else ""
    return f"{report.changed} changed, {report.deleted} deleted, {report.events} events{more}"
