"""Distances between documents, a few rows at a time, so that a hundred thousand fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from active_learning.pool import FloatArray

#: Rows whose distances are worked out together.
_BLOCK = 4096
#: Documents that the mean, and the typical distance, are taken from.
_SAMPLE = 512


def placed(embeddings: FloatArray, others: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return embeddings as places around their common middle, at a mean squared distance of 1, and ``others`` likewise.

    The mean of a network's hidden states has a large part that all documents share; it says nothing of their
    differences (Mu and Viswanath, "All-but-the-Top", ICLR 2018). Lengths are kept: where most documents are of one
    kind, they lie near the middle, and their directions from there would be chance. Rows of zeros lie in the middle.

    Args:
        embeddings: Shape ``(documents, hidden)``.
        others: Shape ``(others, hidden)``; placed around the middle of ``embeddings``, so that both compare.
    """
    rows = np.asarray(embeddings, dtype=np.float32)
    there = (rows != 0).any(axis=1)
    if not there.any():
        return rows, np.zeros((0, rows.shape[1]), dtype=np.float32)
    middle = rows.mean(axis=0, dtype=np.float64, where=there[:, None]).astype(np.float32)
    result = _around(rows, middle)
    spread = float(np.sqrt(np.einsum("ij,ij->i", result, result).sum(dtype=np.float64) / there.sum()))
    # Documents that differ by rounding alone are equal.
    scale = np.float32(1 / spread if spread > 1e-6 * float(np.linalg.norm(middle)) else 0)
    result *= scale
    if others is None or not len(others):
        return result, np.zeros((0, rows.shape[1]), dtype=np.float32)
    return result, _around(np.asarray(others, dtype=np.float32), middle) * scale


def nearest_distance(rows: FloatArray, to: FloatArray) -> FloatArray:
    """Return how far each row is from the nearest of ``to``, as squared distance; infinite where ``to`` is empty."""
    result = np.full(len(rows), np.inf, dtype=np.float32)
    if not len(to):
        return result
    lengths = np.einsum("ij,ij->i", to, to)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        squares = np.einsum("ij,ij->i", part, part)
        for block in _blocks(len(to)):
            distance = (lengths[block][None] - 2 * part @ to[block].T).min(axis=1) + squares
            np.minimum(result[start : start + _BLOCK], distance, out=result[start : start + _BLOCK])
    return np.maximum(result, 0)


def typical_distance(rows: FloatArray, rng: np.random.Generator) -> float:
    """Return the median squared distance of two documents drawn by chance; 0 where all are equal."""
    if len(rows) < 2:
        return 0.0
    drawn = rows[rng.choice(len(rows), size=min(_SAMPLE, len(rows)), replace=False)]
    squares = (drawn**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * drawn @ drawn.T
    return float(np.median(distances[np.triu_indices(len(drawn), 1)]))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _around(rows: FloatArray, middle: FloatArray) -> FloatArray:
    result = rows - middle
    result[~(rows != 0).any(axis=1)] = 0
    return result
