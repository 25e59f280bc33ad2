"""The country that numbers without a country code probably belong to, by a project's other cards."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ml_backend.contacts.phones import countries_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import choose

#: Annotated documents that are looked at, the latest; numbers that must say their country; and how many must agree.
LATEST, LEAST, SHARE = 200, 5, 0.8
#: A project's cards do not change their country from one minute to the next.
_KEPT_SECONDS = 600.0


class UsualCountry:
    """Tells a project's country by the numbers that people confirmed on its cards; threads may share it.

    Args:
        learning: The annotations.
        default: Two letters of the country where the cards do not tell; ``None`` for none.
    """

    def __init__(self, learning: LearningStore, default: str | None = None) -> None:
        self._learning = learning
        self._default = default
        self._kept: dict[int, tuple[float, str | None]] = {}
        self._lock = threading.Lock()

    def of(self, project_id: int | None) -> str | None:
        """Return two letters; ``None`` if the country is unknown.

        Raises:
            StoreError: If the store cannot be read.
        """
        if project_id is None:
            return self._default
        now = time.monotonic()
        with self._lock:
            before = self._kept.get(project_id)
        if before is None or now - before[0] > _KEPT_SECONDS:
            before = now, self._told(project_id)
            with self._lock:
                self._kept[project_id] = before
        return before[1] or self._default

    def _told(self, project_id: int) -> str | None:
        heads = sorted(choose(self._learning.heads(project_id)).values(), key=lambda head: head.updated_at)
        annotations = self._learning.annotations(head.id for head in heads[-LATEST:])
        found = Counter(country for each in annotations for country in countries_of(_numbers(each.result)))
        if found.total() < LEAST:
            return None
        country, count = found.most_common(1)[0]
        return country if count >= SHARE * found.total() else None


def _numbers(result: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give the texts of a result that hold a country code; what they are called does not matter."""
    for part in result:
        if part.get("type") == "textarea":
            texts = (part.get("value") or {}).get("text") or ()
            yield from (text for text in map(str, texts) if "+" in text)
