"""Distances between documents, a few rows at a time, so that a hundred thousand fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from active_learning.pool import BoolArray, FloatArray

#: Rows whose distances are worked out together.
_BLOCK = 4096
#: Documents that the mean, and the typical distance, are taken from.
_SAMPLE = 512


def directions(embeddings: FloatArray, others: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return embeddings as directions from their common middle, length 1, and ``others`` likewise.

    The mean of a network's hidden states has a large part that all documents share; it says nothing of their
    differences (Mu and Viswanath, «All-but-the-Top», ICLR 2018). Rows of zeros stay zeros.

    Args:
        embeddings: Shape ``(documents, hidden)``.
        others: Shape ``(others, hidden)``; measured from the middle of ``embeddings``, so that both compare.
    """
    rows = np.asarray(embeddings, dtype=np.float32)
    there = (rows != 0).any(axis=1)
    middle = rows[there].mean(axis=0, dtype=np.float64).astype(np.float32) if there.any() else np.float32(0)
    result = _unit(rows, middle, there)
    if others is None or not len(others):
        return result, np.zeros((0, rows.shape[1]), dtype=np.float32)
    rows = np.asarray(others, dtype=np.float32)
    return result, _unit(rows, middle, (rows != 0).any(axis=1))


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
    distances = 2 - 2 * drawn @ drawn.T
    return float(np.median(distances[np.triu_indices(len(drawn), 1)]))


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, count, _BLOCK))


def _unit(rows: FloatArray, middle: FloatArray | np.float32, there: BoolArray) -> FloatArray:
    result = np.where(there[:, None], rows - middle, np.float32(0))
    lengths = np.linalg.norm(result, axis=1, keepdims=True)
    return np.asarray(np.divide(result, lengths, out=np.zeros_like(result), where=lengths > 1e-12))
