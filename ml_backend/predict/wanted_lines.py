"""Whether people want every line of their documents pre-labelled, or the values of fields only: their work shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import LearningStore

#: Annotations that are looked at, the latest first, until there are :data:`ENOUGH` with lines of no field before them.
LATEST = 400
ENOUGH = 20
#: With fewer nothing is concluded.
FEWEST = 5
#: Of the lines of no field people keep no larger share where they want values only.
KEPT = 0.2
#: What was found is believed for so long.
SECONDS = 300.0

_log = get_logger(__name__)


class WantedLines:
    """Tells what projects want; threads may share it.

    Predictions without lines of no field tell nothing, so that what was concluded from earlier ones stays.

    Args:
        learning: The annotations, with the predictions that people began with.
        clock: Monotonic seconds.
    """

    def __init__(self, learning: LearningStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._learning = learning
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[int, tuple[float, bool]] = {}

    def values_only(self, project_id: int) -> bool:
        """Return whether people delete what belongs to no field; not, where that cannot be told."""
        with self._lock:
            known = self._found.get(project_id)
        if known is not None and self._clock() - known[0] < SECONDS:
            return known[1]
        try:
            found = self._look(project_id)
        except BackendError as error:
            _log.warning("wanted_lines_unknown", project=project_id, error=str(error))
            return known[1] if known is not None else False
        with self._lock:
            self._found[project_id] = (self._clock(), found)
        if found and not (known and known[1]):
            _log.info("values_only", project=project_id)
        return found

    def _look(self, project_id: int) -> bool:
        heads = [head for head in self._learning.heads(project_id) if head.id > 0 and not head.was_cancelled]
        latest = sorted(heads, key=lambda head: head.updated_at, reverse=True)[:LATEST]
        offered = kept = documents = 0
        for at in range(0, len(latest), ENOUGH):
            for annotation in self._learning.annotations(head.id for head in latest[at : at + ENOUGH]):
                if annotation.prediction is None:
                    continue
                lines = _without_label(annotation.prediction.get("result") or ())
                if not lines:
                    continue
                documents += 1
                offered += len(lines)
                kept += len(lines & {str(part.get("id")) for part in annotation.result})
            if documents >= ENOUGH:
                break
        return documents >= FEWEST and kept <= KEPT * offered


def _without_label(result: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of a result's regions that have no label."""
    regions, labelled = set(), set()
    for part in result:
        kind, value = str(part.get("type")), part.get("value") or {}
        regions.add(str(part.get("id")))
        if kind.endswith("labels") and value.get(kind):
            labelled.add(str(part.get("id")))
    return regions - labelled
