"""Numbers over time that the pages show: how versions did, what documents cost, whether confidence is deserved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ml_backend.learn.live_metrics import Outcome
from ml_backend.predict.serving_models import number_made
from ml_backend.store.annotations import LearningStore
from model.registry.tracking import Tracking, telling
from model.registry.versions import Version

#: Documents that one point of the cost's course averages over.
WINDOW = 10
#: Predictions of a like confidence; fewer than :data:`FEWEST` in a bin say nothing.
BINS, FEWEST = 5, 3
_DRAWS = 1000
#: Scores that are of no single field.
TOTALS = ("micro", "synthetic")


@dataclass(frozen=True, slots=True)
class FieldScore:
    """How a version did on the held-out documents of its run.

    Attributes:
        field: The field; ``micro`` stands for all together.
        champion: F1 of the version that served then; ``None`` where it was not noted.
        version: F1 of the version itself.
    """

    field: str
    champion: float | None
    version: float


@dataclass(frozen=True, slots=True)
class LiveScore:
    """What people made of a version's predictions.

    Attributes:
        number: The registry's; 0 for the weights that ship.
        f1: Entity F1 over all of them.
        low: Lower end of its 95 % interval, by a bootstrap over documents.
        high: Upper end.
        documents: How many there are.
    """

    number: int
    f1: float
    low: float
    high: float
    documents: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one document cost.

    Attributes:
        at: When it was annotated.
        cost: Corrections.
        version: Whose prediction the person began with; ``None`` for another backend's.
    """

    at: datetime
    cost: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of a like confidence.

    Attributes:
        confidence: Their average confidence.
        accuracy: Share of their regions that people left as they were.
        documents: How many predictions there are.
    """

    confidence: float
    accuracy: float
    documents: int


def field_scores(tracking: Tracking, version: Version) -> list[FieldScore]:
    """Return what a version's run wrote down, a field each, the total last.

    Raises:
        TrackingError: If MLflow cannot be read.
    """
    if not version.mlflow_run_id or tracking.empty:
        return []
    with telling(version.name):
        metrics = tracking.client().get_run(version.mlflow_run_id).data.metrics
    prefix, rival = "challenger_f1_", "champion_f1_"
    names = [name.removeprefix(prefix) for name in metrics if name.startswith(prefix)]
    names.sort(key=lambda name: (name in TOTALS, name))
    return [FieldScore(name, metrics.get(rival + name), metrics[prefix + name]) for name in names]


def live_scores(outcomes: Sequence[Outcome], rng: np.random.Generator) -> list[LiveScore]:
    """Return what people made of each version's predictions, oldest version first."""
    found = []
    for number in sorted({outcome.version for outcome in outcomes}):
        counts = np.array([(o.hits, o.given + o.wanted) for o in outcomes if o.version == number], dtype=np.float64)
        if counts[:, 1].sum() == 0:
            continue
        drawn = counts[rng.integers(len(counts), size=(_DRAWS, len(counts)))].sum(axis=1)
        shares = 2 * drawn[:, 0] / np.maximum(drawn[:, 1], 1)
        low, high = np.quantile(shares, (0.025, 0.975))
        hits, all_ = counts.sum(axis=0)
        found.append(LiveScore(number, float(2 * hits / all_), float(low), float(high), len(counts)))
    return found


def costs(learning: LearningStore, project_id: int, latest: int = 500) -> list[Cost]:
    """Return what the latest documents cost, oldest first.

    Raises:
        StoreError: If the store cannot be read.
    """
    heads = [head.id for head in learning.heads(project_id) if head.id > 0 and not head.was_cancelled][-latest:]
    found = [
        Cost(item.updated_at, item.cost, number_made(item.model_version or "", item.task_id))
        for item in learning.annotations(heads)
        if item.cost is not None
    ]
    return sorted(found, key=lambda cost: cost.at)


def moving_average(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Return the average of each value and up to ``window - 1`` before it."""
    return [float(np.mean(values[max(0, i - window + 1) : i + 1])) for i in range(len(values))]


def reliability(outcomes: Sequence[Outcome]) -> list[Bin]:
    """Compare how sure predictions were with how much of them was left, in bins of equally many."""
    sure = sorted(
        (o.confidence, o.hits / o.given) for o in outcomes if o.confidence is not None and o.given and o.confidence >= 0
    )
    count = min(BINS, len(sure) // FEWEST)
    if count == 0:
        return []
    parts = np.array_split(np.array(sure, dtype=np.float64), count)
    return [Bin(float(part[:, 0].mean()), float(part[:, 1].mean()), len(part)) for part in parts]
