"""How versions do while people work with them, and when a difference between two is real.

A document counts for the version that made the prediction which a person started from.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ml_backend.observability.logs import get_logger
from ml_backend.predict.serving_models import number_made
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import Correction, StoredAnnotation

#: Documents of a project that are looked at, the latest: what a version did a year ago says little.
LATEST = 2000
#: Fewer documents a version than this say nothing.
FEWEST = 10
_DRAWS = 2000

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a person made of one prediction.

    Attributes:
        version: The registry's number of the version; 0 for the weights that ship.
        cost: Corrections that it needed.
        hits: Labelled regions of the prediction that kept their label.
        given: Labelled regions of the prediction.
        wanted: Labelled regions of the annotation.
        confidence: The average score of the prediction's labelled regions, in ``[0, 1]``; ``None`` where it has none.
            The score of the prediction itself is its task's place in the order.
    """

    version: int
    cost: int
    hits: int
    given: int
    wanted: int
    confidence: float | None


@dataclass(frozen=True, slots=True)
class VersionScore:
    """How one version did.

    Attributes:
        documents: How many documents people began with its predictions.
        cost: Corrections a document, on average.
        entity_f1: Over all their regions, in ``[0, 1]``; ``None`` where nothing was labelled.
        confidence: Average of its predictions' confidence; ``None`` where they have none.
    """

    documents: int
    cost: float
    entity_f1: float | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more corrections a document one version needs than another.

    Attributes:
        cost: Of the averages; below 0 where the second is better.
        low: Lower end of the interval that holds the true difference 95 times in 100.
        high: Its upper end.
    """

    cost: float
    low: float
    high: float

    @property
    def real(self) -> bool:
        """Whether it is more than chance."""
        return self.low > 0 or self.high < 0


def outcomes(learning: LearningStore, project_id: int, *, latest: int = LATEST) -> list[Outcome]:
    """Return what people made of predictions of this backend's, of the latest annotations.

    Raises:
        StoreError: If the store cannot be read.
    """
    heads = [head.id for head in learning.heads(project_id) if head.id > 0 and not head.was_cancelled][-latest:]
    found = (
        outcome_of(annotation, learning.corrections(annotation.id))
        for annotation in learning.annotations(heads)
        if annotation.prediction is not None
    )
    return [outcome for outcome in found if outcome is not None]


def outcome_of(annotation: StoredAnnotation, corrections: Iterable[Correction]) -> Outcome | None:
    """Return what a person made of the prediction; ``None`` where it was none of this backend's."""
    version = number_made(annotation.model_version or "", annotation.task_id)
    if version is None or annotation.prediction is None or annotation.cost is None:
        return None
    predicted = annotation.prediction.get("result") or ()
    given = _labelled(predicted)
    lost = sum(item.kind in ("deleted", "field") and item.field_before is not None for item in corrections)
    return Outcome(
        version,
        annotation.cost,
        max(0, given - lost),
        given,
        _labelled(annotation.result),
        _confidence(predicted),
    )


def score(outcomes: Iterable[Outcome]) -> dict[int, VersionScore]:
    """Return how each version did, by number."""
    by_version: defaultdict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_version[outcome.version].append(outcome)
    return {version: _score(by_version[version]) for version in sorted(by_version)}


def compare(first: Sequence[Outcome], second: Sequence[Outcome], rng: np.random.Generator) -> Difference | None:
    """Tell whether one version needs more corrections than another, by a bootstrap (Efron, 1979) over documents.

    Args:
        first: What people made of one version's predictions.
        second: Of the other's, on other documents.
        rng: Where chance comes from.

    Returns:
        The second's cost minus the first's; ``None`` with fewer than :data:`FEWEST` documents of either.
    """
    if min(len(first), len(second)) < FEWEST:
        return None
    costs = [np.array([outcome.cost for outcome in side], dtype=np.float64) for side in (first, second)]
    draws = [rng.choice(side, (_DRAWS, len(side))).mean(axis=1) for side in costs]
    low, high = np.quantile(draws[1] - draws[0], (0.025, 0.975))
    return Difference(float(costs[1].mean() - costs[0].mean()), float(low), float(high))


class VersionScores(Collector):
    """Gives Prometheus the scores of all versions, counted again at most once a minute.

    Args:
        learning: Where annotations are.
        clock: Monotonic seconds.
    """

    _SECONDS = 60.0

    def __init__(self, learning: LearningStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._learning = learning
        self._clock = clock
        self._counted = float("-inf")
        self._scores: dict[int, dict[int, VersionScore]] = {}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Say which names there will be, without counting."""
        return iter(_families({}))

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the scores by project and version."""
        if self._clock() - self._counted >= self._SECONDS:
            self._counted = self._clock()
            self._scores = {state.id: score(outcomes(self._learning, state.id)) for state in self._learning.projects()}
        return iter(_families(self._scores))


def _families(scores: Mapping[int, Mapping[int, VersionScore]]) -> list[GaugeMetricFamily]:
    families = []
    for name, what in (
        ("documents", "Documents that people began with the version's predictions."),
        ("cost", "Corrections a document, on average."),
        ("entity_f1", "Entity F1 of the version's predictions against what people made of them."),
        ("confidence", "Average score of the regions that the version labelled."),
    ):
        family = GaugeMetricFamily(f"ml_backend_version_{name}", what, labels=["project", "version"])
        for project_id, versions in scores.items():
            for version, one in versions.items():
                value = getattr(one, name)
                if value is not None:
                    family.add_metric([str(project_id), str(version)], value)
        families.append(family)
    return families


def _score(outcomes: Sequence[Outcome]) -> VersionScore:
    hits, given, wanted = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("hits", "given", "wanted"))
    sure = [outcome.confidence for outcome in outcomes if outcome.confidence is not None]
    return VersionScore(
        len(outcomes),
        sum(outcome.cost for outcome in outcomes) / len(outcomes),
        2 * hits / (given + wanted) if given + wanted else None,
        sum(sure) / len(sure) if sure else None,
    )


def _labelled(result: Iterable[Mapping[str, Any]]) -> int:
    """Count the regions that have a label."""
    return len({part.get("id") for part in _labels(result)})


def _confidence(result: Iterable[Mapping[str, Any]]) -> float | None:
    scores = [float(part["score"]) for part in _labels(result) if part.get("score") is not None]
    return sum(scores) / len(scores) if scores else None


def _labels(result: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for part in result:
        if str(part.get("type", "")).endswith("labels") and (part.get("value") or {}).get(part["type"]):
            yield part
