"""Pools to test with."""

from __future__ import annotations

import numpy as np

from active_learning.pool import SCORES, FloatArray, Labelled, Pool


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def kinds(counts: tuple[int, ...], *, hidden: int = 16, noise: float = 0.05, seed: int = 0) -> FloatArray:
    """Embeddings of as many kinds of documents as there are counts, kind after kind."""
    middles = np.linalg.qr(rng(seed).normal(size=(hidden, hidden)))[0]
    return np.vstack(
        [middle + rng(seed + 1).normal(scale=noise, size=(n, hidden)) for middle, n in zip(middles, counts)]
    )


def pool_of(embeddings: FloatArray, seed: int = 0, **scores: FloatArray) -> Pool:
    """A pool whose scores are drawn by chance, but for those given."""
    drawn = {name: rng((seed, i)).random(len(embeddings)) for i, name in enumerate(SCORES)}  # type: ignore[arg-type]
    return Pool(embeddings, **(drawn | scores))


def nothing() -> Labelled:
    return Labelled()
