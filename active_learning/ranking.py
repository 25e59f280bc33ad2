"""Put a whole pool into an order: cold start, the strategy's batch, the rest by score, near-duplicates last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from active_learning.diversity import MostTypical
from active_learning.geometry import nearest_distance, placed, typical_distance
from active_learning.pool import BoolArray, FloatArray, IntArray, Labelled, Pool, QueryStrategy
from active_learning.simple import highest

#: Two documents nearer than this share of the usual distance show the same card, or the same template filled alike.
NEAR_DUPLICATE = 0.02
#: Annotated documents before a model's doubts are believed.
COLD_START = 10
#: A batch for which a strategy looks at the batch as a whole; beyond it documents follow by score.
BATCH = 50


@dataclass(frozen=True, slots=True)
class Ranking:
    """The order of a pool.

    Attributes:
        order: All rows of the pool, best first.
        acquisition: Shape ``(candidates,)``: each row's acquisition score, in ``(0, 1]``, higher for rows that come
            sooner; Label Studio gets one minus it.
        duplicates: Shape ``(candidates,)``: whether a row shows what another annotated or better placed one shows.
    """

    order: IntArray
    acquisition: FloatArray
    duplicates: BoolArray


def rank(
    pool: Pool,
    labelled: Labelled,
    strategy: QueryStrategy,
    rng: np.random.Generator,
    *,
    batch: int = BATCH,
    cold_start: QueryStrategy | None = None,
    near_duplicate: float = NEAR_DUPLICATE,
    fallback_score: str = "entropy",
) -> Ranking:
    """Rank all candidates.

    Args:
        pool: The candidates.
        labelled: What was annotated already.
        strategy: Chooses the first ``batch``.
        rng: Where chance comes from.
        batch: See :data:`BATCH`.
        cold_start: Chooses instead while fewer than :data:`COLD_START` documents are annotated; the most typical first
            by default.
        near_duplicate: See :data:`NEAR_DUPLICATE`; 0 lets all duplicates through.
        fallback_score: One of :data:`active_learning.pool.SCORES`: the order beyond the batch. For ``random`` the
            order is chance's to the end.

    Returns:
        The order. Near-duplicates of annotated documents and of those of the batch come last; not for ``random``.
    """
    rows, known = placed(pool.embeddings, labelled.embeddings)
    by_chance = strategy.name == "random"
    # Chance knows no favour: what it draws stands for all documents, the same card twice too.
    radius = 0.0 if by_chance else near_duplicate * typical_distance(rows, rng)
    late = nearest_distance(rows, known) < radius if radius > 0 else np.zeros(len(pool), dtype=bool)
    if len(labelled) < COLD_START and not by_chance:
        strategy = cold_start or MostTypical()
    chosen = _fresh(strategy, pool, labelled, rows, late, radius, batch, rng)
    rest = np.setdiff1d(np.arange(len(pool)), chosen)
    scores = pool.column(fallback_score)[rest]
    rest = rest[rng.permutation(len(rest)) if by_chance else highest(scores, rng)]
    if radius > 0 and len(chosen):
        late |= nearest_distance(rows, rows[chosen]) < radius
        late[chosen] = False
    order = np.concatenate((chosen, rest[~late[rest]], rest[late[rest]])).astype(np.int64)
    acquisition = np.empty(len(pool))
    acquisition[order] = np.arange(len(pool), 0, -1) / max(1, len(pool))
    return Ranking(order, acquisition, late)


def _fresh(
    strategy: QueryStrategy,
    pool: Pool,
    labelled: Labelled,
    rows: FloatArray,
    late: BoolArray,
    radius: float,
    batch: int,
    rng: np.random.Generator,
) -> IntArray:
    """Choose a batch without near-duplicates, marking those that were passed over as late."""
    chosen: list[int] = []
    # Twice, since near-duplicates within the batch leave gaps.
    for _ in range(2):
        open_rows = np.setdiff1d(np.flatnonzero(~late), chosen)
        if len(chosen) >= batch or not len(open_rows):
            break
        known = Labelled(_joined(labelled.embeddings, pool.embeddings[chosen]))
        seen = pool if len(open_rows) == len(pool) else pool.take(open_rows)
        for row in open_rows[strategy.choose(seen, known, batch - len(chosen), rng)]:
            if radius > 0 and chosen and nearest_distance(rows[row : row + 1], rows[chosen])[0] < radius:
                late[row] = True
            else:
                chosen.append(int(row))
    return np.array(chosen, dtype=np.int64)


def _joined(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.concatenate((first, second)) if len(first) else second
