"""The background jobs of a rescoring: what RQ calls."""

from __future__ import annotations

from ml_backend.jobs.scoring import WorkerNotReadyError
from ml_backend.order.rescoring import Rescorer

_rescorer: Rescorer | None = None


def provide(rescorer: Rescorer | None) -> None:
    """Set what the jobs work with in this process; the worker does so before it takes its first job."""
    global _rescorer
    _rescorer = rescorer


def find_projects() -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.discover` with the worker's services."""
    found = _ready().discover()
    return f"{len(found)} found"


def rescore_project(project_id: int) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.rescore` with the worker's services."""
    return _ready().rescore(project_id)


def rescore_chunk(project_id: int, version: str, chunk: str) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.rescore_chunk` with the worker's services."""
    return _ready().rescore_chunk(project_id, version, chunk)


def finish_rescoring(project_id: int, version: str) -> str:
    """Run :meth:`ml_backend.order.rescoring.Rescorer.finish` with the worker's services."""
    return _ready().finish(project_id, version)


def order_project(project_id: int) -> str:
    """Run :meth:`ml_backend.order.task_order.Orderer.order` with the worker's services."""
    orderer = _ready().orderer
    order = None if orderer is None else orderer.order(project_id)
    return "nothing to order" if order is None else f"{order.tasks} in order, {order.moved} moved"


def _ready() -> Rescorer:
    if _rescorer is None:
        raise WorkerNotReadyError("This worker has no models.", WorkerNotReadyError.hint)
    return _rescorer
