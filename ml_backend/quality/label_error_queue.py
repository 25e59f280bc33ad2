"""Renew the queue of annotated tasks whose labels may be wrong: search, keep, and show in Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.records import Project
from ml_backend.learn.dataset import Collected
from ml_backend.observability.logs import get_logger
from ml_backend.quality.label_errors import LabelErrorSearch
from ml_backend.quality.mislabeling import PredictionBoard, show_mislabeling
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.label_errors import LabelErrors, LabelSuspect
from model.extraction.extractor import Extractor

_log = get_logger(__name__)


class ProjectBoard(PredictionBoard, Protocol):
    """What that asks of Label Studio."""

    def project(self, project_id: int) -> Project:
        """Return one project."""
        ...


class ProjectCollector(Protocol):
    """Collects annotated documents; :class:`ml_backend.learn.dataset.Collector` is one."""

    def collect(self, project_id: int, config: LabelConfig, fields: Sequence[str]) -> Collected:
        """Return what a project has to teach."""
        ...


def renew_queue(
    board: ProjectBoard,
    collector: ProjectCollector,
    store: Store,
    weights: Path,
    project_id: int,
    *,
    limit: int | None = None,
    on_progress: Callable[[], object] = lambda: None,
) -> tuple[LabelSuspect, ...]:
    """Search a project's annotated documents; return the new queue.

    Args:
        board: Label Studio.
        collector: Collects the documents.
        store: Where the queue is kept.
        weights: Folder of the weights whose states are read out. Ones that look at images are not asked: nothing is
            found then but what people contradict each other in.
        project_id: The project.
        limit: See :meth:`ml_backend.quality.label_errors.LabelErrorSearch.search`.
        on_progress: Called after each document.

    Raises:
        BackendError: If Label Studio or the store does not answer.
        ModelError: If the weights are missing or damaged.
    """
    learning = LearningStore(store.engine)
    config = parse_label_config(board.project(project_id).label_config)
    reader = Extractor.load(weights)
    collected = collector.collect(project_id, config, reader.fields)
    if reader.looks_at_images:
        collected = Collected((), (), {}, collected.names)
    suspects = LabelErrorSearch(learning, reader).search(
        project_id, collected, config, limit=limit, on_progress=on_progress
    )
    errors = LabelErrors(store.engine, learning)
    errors.save(project_id, suspects)
    shown = show_mislabeling(board, suspects)
    _log.info(
        "labels_searched", project=project_id, documents=len(collected.examples), suspects=len(suspects), shown=shown
    )
    return errors.queue(project_id, len(suspects))
