"""Strategies that look at one document at a time: by chance, or the highest score first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from active_learning.errors import UnknownNameError
from active_learning.pool import SCORES, FloatArray, IntArray, Labelled, Pool


@dataclass(frozen=True, slots=True)
class Chance:
    """All documents alike: what every other strategy has to beat."""

    name: str = "random"

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        return rng.permutation(len(pool))[:count]


@dataclass(frozen=True)
class ByScore:
    """The documents of the highest score, whatever else is in the batch (Lewis and Gale, 1994).

    Args:
        score: One of :data:`active_learning.pool.SCORES`.
        name: Its name; the score's own by default.

    Raises:
        UnknownNameError: If there is no such score.
    """

    score: str
    name: str = ""

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise UnknownNameError(f"no score {self.score!r}; there are {', '.join(SCORES)}")
        object.__setattr__(self, "name", self.name or self.score)

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch; see :class:`active_learning.pool.QueryStrategy`."""
        return highest(pool.column(self.score), rng)[:count]


def highest(scores: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return all rows, the highest score first; equal ones in an order of chance, not in that of their upload."""
    return np.asarray(np.lexsort((rng.random(len(scores)), -scores)), dtype=np.int64)
