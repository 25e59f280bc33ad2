"""Which prediction each annotation started from.

Label Studio says it in several places, and in each only for a while: an annotation names its prediction until that is
deleted, and the copy that webhooks bring along is of the version that the project showed, not of the one that was
copied. So the first answer is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_backend.label_studio.records import Annotation, Prediction, Task, prediction_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import EventHead, Store


class Origins:
    """Finds the predictions that annotations started from.

    Args:
        events: Where webhooks are written down.
        learning: What was found before.
        pending: The events whose annotations may not have been looked at yet.
    """

    def __init__(self, events: Store, learning: LearningStore, pending: Sequence[EventHead]) -> None:
        self._events = events
        self._learning = learning
        # The first event of an annotation knows what it started from; the prediction may be gone at a later one.
        self._event_of = {number: event.id for event in reversed(pending) for number in event.annotation_ids}

    def of(self, tasks: Iterable[Task]) -> dict[int, Mapping[str, Any]]:
        """Return ``result``, ``model_version`` and ``score`` of the predictions, by the annotation's number.

        Args:
            tasks: With their annotations, and the predictions that they have now.

        Returns:
            Annotations that a person started from nothing are missing.

        Raises:
            StoreError: If the store cannot be read.
        """
        pairs = [(task, annotation) for task in tasks for annotation in task.annotations]
        known = self._learning.predictions_of(annotation.id for _, annotation in pairs)
        found = dict(known)
        for task, annotation in pairs:
            if annotation.id not in found:
                prediction = (
                    _named(task, annotation) or self._told(annotation) or _of_same_regions(task.predictions, annotation)
                )
                if prediction is not None:
                    found[annotation.id] = {
                        "result": list(prediction.result),
                        "model_version": prediction.model_version,
                        "score": prediction.score,
                    }
        return found

    def _told(self, annotation: Annotation) -> Prediction | None:
        """Return the prediction that an event has brought with the annotation."""
        event_id = self._event_of.get(annotation.id)
        if event_id is None:
            return None
        sent = self._events.payload(event_id).get("annotation")
        prediction = sent.get("prediction") if isinstance(sent, Mapping) and sent.get("id") == annotation.id else None
        if not isinstance(prediction, Mapping) or not isinstance(prediction.get("id"), int):
            return None
        read = prediction_of(prediction, annotation.task)
        return read if annotation.parent_prediction in (None, read.id) else None


def _named(task: Task, annotation: Annotation) -> Prediction | None:
    """Return the prediction that the annotation names, if it still exists."""
    return next((item for item in task.predictions if item.id == annotation.parent_prediction), None)


def _of_same_regions(predictions: Iterable[Prediction], annotation: Annotation) -> Prediction | None:
    """Return the prediction from which the annotation has most regions; a copied region keeps its id.

    Of several that have equally many it is the latest.
    """
    own = _region_ids(annotation.result)
    shared = [(len(own & _region_ids(item.result)), item.id, item) for item in predictions]
    most = max(shared, key=lambda entry: entry[:2], default=None)
    return most[2] if most is not None and most[0] > 0 else None


def _region_ids(result: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(part["id"]) for part in result if isinstance(part, Mapping) and part.get("id")}
