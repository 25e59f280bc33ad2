"""Groups of documents that look alike, so that a person is not shown twenty of one kind in a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

Array = NDArray[np.float64]

#: More groups than this are taken in turns too slowly: Label Studio visits the group that was annotated least.
MOST_CLUSTERS = 10


def find_centroids(
    embeddings: Sequence[ArrayLike], rng: np.random.Generator, *, most: int = MOST_CLUSTERS
) -> tuple[tuple[float, ...], ...]:
    """Find the middles of the groups that documents fall into, by k-means (Lloyd, 1982) with k-means++ starts.

    Directions are compared, not lengths. There are about as many groups as the square root of half the documents.

    Args:
        embeddings: Shape ``(documents, hidden)``; one of zeros (an empty page) belongs to no group and is left out.
        rng: Where chance comes from.
        most: Largest number of groups, 1 or more.

    Returns:
        At most ``most`` centroids of shape ``(hidden,)`` and length 1; fewer where documents are equal, none without
        documents.
    """
    rows = np.array([row for row in map(_direction, embeddings) if row.any()])
    if not len(rows):
        return ()
    kinds = len(np.unique(rows.round(6), axis=0))
    count = max(1, min(most, kinds, round(np.sqrt(len(rows) / 2))))
    means = KMeans(count, n_init=4, random_state=int(rng.integers(2**31))).fit(rows)
    return tuple(tuple(map(float, _direction(centre))) for centre in means.cluster_centers_)


def nearest(embedding: ArrayLike, centroids: Sequence[Sequence[float]]) -> int | None:
    """Return the place of the centroid that an embedding points to most; ``None`` where there is no answer.

    Args:
        embedding: Shape ``(hidden,)``.
        centroids: As :func:`find_centroids` gave them.
    """
    row = _direction(embedding)
    if not len(centroids) or not row.any():
        return None
    return int(np.argmax(np.asarray(centroids, dtype=np.float64) @ row))


def _direction(embedding: ArrayLike) -> Array:
    """Scale to length 1; zeros stay zeros."""
    row = np.asarray(embedding, dtype=np.float64)
    length = float(np.linalg.norm(row))
    return row / length if length else row
