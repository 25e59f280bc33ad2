"""Strategies that look at a batch as a whole, so that its documents teach different things.

All compare places around the pool's middle (:func:`active_learning.geometry.placed`). Of a pool larger than
:data:`MOST_COMPARED` they look at a part: at the highest scores where they have a score, else at some drawn by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from active_learning.errors import UnknownNameError
from active_learning.geometry import nearest_distance, placed
from active_learning.pool import SCORES, FloatArray, IntArray, Labelled, Pool, QueryStrategy
from active_learning.simple import highest

#: Neighbours that say how typical a document is.
_NEIGHBOURS = 20
#: Documents that are compared with one another at most; what is beyond would cost time and change little of the choice.
MOST_COMPARED = 20_000
#: Documents up to which groups are found by full k-means.
_ALL_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class KMeansCentres:
    """The document nearest to the middle of each of as many groups as are asked for (Nguyen and Smeulders, 2004)."""

    name: str = "k_means"

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        if not len(pool) or not count:
            return _none()
        if len(pool) > MOST_COMPARED:
            return _of_some(self, pool, labelled, count, rng, _drawn(len(pool), rng))
        rows, _ = placed(pool.embeddings)
        groups, centres, sizes = _groups(rows, count, rng)
        distances = ((rows - centres[groups]) ** 2).sum(axis=1)
        firsts = [
            members[distances[members].argmin()]
            for group in np.argsort(-sizes, kind="stable")
            if len(members := np.flatnonzero(groups == group))
        ]
        return _filled(firsts, len(pool), count, rng)


@dataclass(frozen=True, slots=True)
class CoreSet:
    """Always the document farthest from all that are annotated or chosen (Sener and Savarese, ICLR 2018: k-centre)."""

    name: str = "core_set"

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        if len(pool) > MOST_COMPARED:
            return _of_some(self, pool, labelled, count, rng, _drawn(len(pool), rng))
        rows, known = placed(pool.embeddings, labelled.embeddings)
        return _farthest(rows, known, np.ones(len(pool)), count, rng)


@dataclass(frozen=True, slots=True)
class Badge:
    """Gradients far apart, long ones sooner: k-means++ over them (Ash et al., ICLR 2020).

    Where no gradients are kept, the embedding scaled by least confidence stands for them: the gradient of the last
    layer has the length of the error and the direction of what that layer is given.
    """

    name: str = "badge"

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        if not len(pool) or not count:
            return _none()
        if len(pool) > MOST_COMPARED:
            return _of_some(self, pool, labelled, count, rng, _drawn(len(pool), rng))
        if pool.gradients is not None:
            rows = np.asarray(pool.gradients, dtype=np.float32)
        else:
            rows = placed(pool.embeddings)[0] * np.asarray(pool.least_confidence, dtype=np.float32)[:, None]
        chosen = [int(np.einsum("ij,ij->i", rows, rows).argmax())]
        distances = nearest_distance(rows, rows[chosen])
        while len(chosen) < min(count, len(pool)):
            distances[chosen] = 0
            total = float(distances.sum(dtype=np.float64))
            if total <= 0:
                break
            pick = int(np.searchsorted(np.cumsum(distances, dtype=np.float64), rng.random() * total, side="right"))
            pick = min(pick, len(pool) - 1)
            chosen.append(pick)
            np.minimum(distances, nearest_distance(rows, rows[pick : pick + 1]), out=distances)
        return _filled(chosen, len(pool), count, rng)


@dataclass(frozen=True)
class DiverseUncertainty:
    """High scores far from one another: always the greatest product of score and distance to what is known.

    The score is the rank within the pool, so that its scale does not matter; the distance is that to the nearest
    document annotated or chosen. As in Settles and Craven, «An Analysis of Active Learning Strategies for Sequence
    Labeling Tasks» (2008), a product, but with distance from what is known in place of density.

    Args:
        score: One of :data:`active_learning.pool.SCORES`.
        name: Its name.
        weight: Power of the score: 0 looks at distance alone, more looks more at the score.
    """

    score: str
    name: str = "diverse_uncertainty"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise UnknownNameError(f"no score {self.score!r}; there are {', '.join(SCORES)}")

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        if len(pool) > MOST_COMPARED:
            best = highest(pool.column(self.score), rng)[:MOST_COMPARED]
            return _of_some(self, pool, labelled, count, rng, best)
        rows, known = placed(pool.embeddings, labelled.embeddings)
        ranks = np.empty(len(pool))
        ranks[highest(pool.column(self.score), rng)] = np.arange(len(pool), 0, -1) / max(1, len(pool))
        return _farthest(rows, known, ranks**self.weight, count, rng)


@dataclass(frozen=True, slots=True)
class MostTypical:
    """For the beginning: from each group the document with the nearest neighbours, groups without annotations first.

    Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets" (ICML
    2022): a model that knows little is unsure of the wrong documents, so it is shown what is most common.
    """

    name: str = "typical"

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        if not len(pool) or not count:
            return _none()
        if len(pool) > MOST_COMPARED:
            return _of_some(self, pool, labelled, count, rng, _drawn(len(pool), rng))
        rows, known = placed(pool.embeddings, labelled.embeddings)
        groups, centres, sizes = _groups(rows, count + min(len(known), count), rng)
        taken = np.bincount(_nearest(known, centres), minlength=len(centres)) if len(known) else 0 * sizes
        firsts = [
            members[_typicality(rows[members], rng).argmax()]
            for group in np.lexsort((-sizes, taken))
            if len(members := np.flatnonzero(groups == group))
        ]
        return _filled(firsts, len(pool), count, rng)


def _of_some(
    strategy: QueryStrategy, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator, some: IntArray
) -> IntArray:
    """Choose a batch out of some rows of a pool; filled up by chance where they are too few."""
    chosen = some[strategy.choose(pool.take(some), labelled, count, rng)]
    return _filled(list(chosen), len(pool), count, rng) if len(chosen) < count else chosen


def _drawn(size: int, rng: np.random.Generator) -> IntArray:
    return np.sort(rng.choice(size, MOST_COMPARED, replace=False))


def _groups(rows: FloatArray, count: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray, IntArray]:
    """Return each row's group, the groups' middles, and their sizes."""
    # It takes a second to load, and reading the settings imports this module.
    from sklearn.cluster import KMeans, MiniBatchKMeans

    count = max(1, min(count, len(np.unique(rows.round(5), axis=0)) if len(rows) < 10_000 else count))
    seed = int(rng.integers(2**31))
    # Small batches lose small groups, so all documents are looked at each time as long as that takes seconds.
    means = (
        KMeans(count, n_init=4, random_state=seed)
        if len(rows) <= _ALL_AT_ONCE
        else MiniBatchKMeans(count, n_init=1, batch_size=4096, random_state=seed)
    ).fit(rows)
    groups = np.asarray(means.labels_, dtype=np.int64)
    return groups, np.asarray(means.cluster_centers_, dtype=np.float32), np.bincount(groups, minlength=count)


def _nearest(rows: FloatArray, centres: FloatArray) -> IntArray:
    """Return the centre that each row is nearest to."""
    return np.asarray(((centres**2).sum(axis=1)[None] - 2 * rows @ centres.T).argmin(axis=1), dtype=np.int64)


def _typicality(rows: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return one over the mean distance to the nearest neighbours; of a large group, among some drawn by chance."""
    others = rows if len(rows) <= 1000 else rows[rng.choice(len(rows), 1000, replace=False)]
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None]
    distances = np.maximum(squares - 2 * rows @ others.T, 0)
    near = np.partition(distances, min(_NEIGHBOURS, len(others) - 1), axis=1)[:, : _NEIGHBOURS + 1]
    return np.asarray(1 / (1e-6 + near.mean(axis=1)))


def _farthest(
    rows: FloatArray, known: FloatArray, scores: FloatArray, count: int, rng: np.random.Generator
) -> IntArray:
    """Choose greedily the greatest product of score and distance from what is known or chosen."""
    if not len(rows) or not count:
        return _none()
    distances = nearest_distance(rows, known)
    chosen: list[int] = []
    noise = rng.random(len(rows)) * 1e-9
    if not len(known):
        # Nothing is known, so all are equally far; the highest score begins.
        distances = np.full(len(rows), 2.0, dtype=np.float32)
    free = np.ones(len(rows), dtype=bool)
    while len(chosen) < min(count, len(rows)):
        worth = np.where(free, scores * np.sqrt(distances) + noise, -1.0)
        pick = int(worth.argmax())
        chosen.append(pick)
        free[pick] = False
        np.minimum(distances, nearest_distance(rows, rows[pick : pick + 1]), out=distances)
    return np.array(chosen, dtype=np.int64)


def _filled(chosen: list[int] | list[np.int64], size: int, count: int, rng: np.random.Generator) -> IntArray:
    """Return the first ``count`` of ``chosen``, filled up by chance where equal documents left fewer."""
    rest = np.setdiff1d(np.arange(size), np.array(chosen, dtype=np.int64))
    return np.asarray(np.concatenate((np.array(chosen, dtype=np.int64), rng.permutation(rest)))[:count], dtype=np.int64)


def _none() -> IntArray:
    return np.zeros(0, dtype=np.int64)
