"""Have Label Studio show which annotated tasks are in doubt, in the column that it has for that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ml_backend.label_studio.records import Prediction
from ml_backend.store.label_errors import LabelSuspect


class PredictionBoard(Protocol):
    """What that asks of Label Studio; :class:`ml_backend.label_studio.client.LabelStudio` is one.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses.
    """

    def predictions(self, *, project_id: int | None = None, task_id: int | None = None) -> list[Prediction]:
        """Return a task's predictions."""
        ...

    def mark_mislabeling(self, prediction_id: int, mislabeling: float) -> None:
        """Say how likely the annotation of a prediction's task is wrong."""
        ...


def show_mislabeling(board: PredictionBoard, suspects: Iterable[LabelSuspect]) -> int:
    """Set ``mislabeling`` on the newest prediction of each task in doubt; return how many were changed.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    changed = 0
    for suspect in suspects:
        newest = max(board.predictions(task_id=suspect.task_id), key=lambda item: item.id, default=None)
        if newest is not None and newest.mislabeling != suspect.suspicion:
            board.mark_mislabeling(newest.id, suspect.suspicion)
            changed += 1
    return changed
