"""What lets a head look around: a small convolution over the features, so that neighbours tell look-alikes apart.

A backbone that was never taught Cyrillic sees «С» and "C" alike; which of them it is, the letters beside it tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.recognition.graph import FloatArray

DILATION = 2
"""Columns from one that is looked at to the next: with a width of nine, seven letters or so are in sight."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A layer that adds to each column's features what its neighbours say (a residual block, He et al. 2015).

    Attributes:
        narrow: Shape (features, few): what of a column its neighbours are to know.
        kernel: Shape (inner, few, width), width odd.
        inner_bias: Shape (inner,).
        outer: Shape (inner, features).
        outer_bias: Shape (features,).
    """

    narrow: FloatArray
    kernel: FloatArray
    inner_bias: FloatArray
    outer: FloatArray
    outer_bias: FloatArray

    @property
    def reach(self) -> int:
        """Columns to either side that are looked at."""
        return DILATION * (self.kernel.shape[2] // 2)

    @staticmethod
    def fresh(features: int, few: int, inner: int, width: int, rng: np.random.Generator) -> Context:
        """Return a layer that changes nothing yet."""
        # Features spread by three or so, what follows is to spread by one.
        return Context(
            rng.normal(0, (1.0 / features) ** 0.5 / 3, (features, few)).astype(np.float32),
            rng.normal(0, (2.0 / (few * width)) ** 0.5, (inner, few, width)).astype(np.float32),
            np.zeros(inner, np.float32),
            np.zeros((inner, features), np.float32),
            np.zeros(features, np.float32),
        )

    def apply(self, features: FloatArray) -> FloatArray:
        """Return the features, shape (columns, features), with what their neighbours add."""
        columns, reach = len(features), self.reach
        padded = np.zeros((columns + 2 * reach, self.narrow.shape[1]), np.float32)
        padded[reach : reach + columns] = features @ self.narrow
        inner = np.repeat(self.inner_bias[None], columns, axis=0)
        for place in range(self.kernel.shape[2]):
            start = place * DILATION
            inner += padded[start : start + columns] @ self.kernel[:, :, place].T
        return np.asarray(features + np.maximum(inner, 0) @ self.outer + self.outer_bias, np.float32)
