"""What active learning sees: the candidates, what was annotated already, and what a strategy answers.

All scores point the same way: higher means more worth labelling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from active_learning.errors import ShapeError, UnknownNameError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SCORES = ("least_confidence", "margin", "entropy", "disagreement", "cost")


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates, a row each.

    Attributes:
        embeddings: Shape ``(candidates, hidden)``; documents of one kind are near one another. A row of zeros is a page
            on which nothing was read.
        least_confidence: Shape ``(candidates,)``, as are all that follow: :mod:`active_learning.uncertainty`'s scores.
        margin: See there.
        entropy: See there.
        disagreement: BALD or the committee's (:mod:`active_learning.disagreement`).
        cost: Corrections that a person will probably have to make (:mod:`active_learning.cost`), 0 or more.
        gradients: Shape ``(candidates, size)``: how, and how far, each document would move the classifier if its own
            guesses were right (Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds",
            ICLR 2020); ``None`` where only embeddings are kept.

    Raises:
        ShapeError: If the shapes disagree, or a number is not finite.
    """

    embeddings: FloatArray
    least_confidence: FloatArray
    margin: FloatArray
    entropy: FloatArray
    disagreement: FloatArray
    cost: FloatArray
    gradients: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2:
            raise ShapeError(f"embeddings need two dimensions, not {self.embeddings.ndim}")
        for name in SCORES:
            column = self.column(name)
            if column.shape != (len(self),):
                raise ShapeError(f"{name} has shape {column.shape} for {len(self)} candidates")
            if not np.isfinite(column).all():
                raise ShapeError(f"{name} holds a number that is not finite")
        if self.gradients is not None and (self.gradients.ndim != 2 or len(self.gradients) != len(self)):
            raise ShapeError(f"gradients have shape {self.gradients.shape} for {len(self)} candidates")

    def __len__(self) -> int:
        return len(self.embeddings)

    def column(self, name: str) -> FloatArray:
        """Return one of :data:`SCORES`, shape ``(candidates,)``.

        Raises:
            UnknownNameError: If there is no score of that name.
        """
        if name not in SCORES:
            raise UnknownNameError(f"no score {name!r}; there are {', '.join(SCORES)}")
        column: FloatArray = getattr(self, name)
        return column

    def take(self, rows: IntArray) -> Pool:
        """Return the pool of some candidates only, in the order given."""
        gradients = None if self.gradients is None else self.gradients[rows]
        columns = {name: self.column(name)[rows] for name in SCORES}
        return Pool(self.embeddings[rows], **columns, gradients=gradients)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was annotated already.

    Attributes:
        embeddings: Shape ``(documents, hidden)``; of zero rows at the beginning.
    """

    embeddings: FloatArray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.embeddings)


class QueryStrategy(Protocol):
    """Chooses what to label next."""

    @property
    def name(self) -> str:
        """Its name in settings and tables."""
        ...

    def choose(self, pool: Pool, labelled: Labelled, count: int, rng: np.random.Generator) -> IntArray:
        """Choose a batch.

        Args:
            pool: The candidates.
            labelled: What was annotated already.
            count: Size of the batch, 0 or more; all candidates where there are fewer.
            rng: Where chance comes from; the same gives the same batch.

        Returns:
            Rows of the pool, each at most once, best first.
        """
        ...
