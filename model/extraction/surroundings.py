"""What stands around each word of a page: beside it in its row, and above it.

Receipts, invoices and forms print the name of a value to its left or above it, often so far away that the reader makes
two lines of it. A row is therefore what stands at one height, whatever lines it was read as.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.document.types import Page

#: Two lines stand in one row if they share so much of the lower one's height.
_ROW_OVERLAP = 0.5
#: What stands above must begin within so many heights of the line.
_ABOVE_HEIGHTS = 3.0
NOTHING = -1


@dataclass(frozen=True)
class Surroundings:
    """The neighbours of a page's words, each as an index into its words, :data:`NOTHING` where there is none.

    Attributes:
        page: Segmented words.
    """

    page: Page

    @cached_property
    def lines(self) -> NDArray[np.int64]:
        """The line of each word."""
        spans = self.page.line_spans()
        return np.repeat(np.arange(len(spans)), [stop - start for start, stop in spans])

    @cached_property
    def left(self) -> NDArray[np.int64]:
        """The word before each, in its line or in the nearest one to the left in its row."""
        before = np.arange(len(self.lines)) - 1
        for line, (start, stop) in enumerate(self.page.line_spans()):
            if stop > start:
                beside = self._beside[line]
                before[start] = NOTHING if beside < 0 else self.page.line_spans()[beside][1] - 1
        return before

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """The word after each; the opposite of :attr:`left`, where several have one word before them the first."""
        after = np.full(len(self.lines), NOTHING)
        for word in range(len(self.lines) - 1, -1, -1):
            if self.left[word] != NOTHING:
                after[self.left[word]] = word
        return after

    @cached_property
    def above(self) -> NDArray[np.int64]:
        """The word above each: in the nearest line above that shares some of its width, the nearest to its middle."""
        words, spans = self.page.words, self.page.line_spans()
        found = np.full(len(words), NOTHING)
        if not words:
            return found
        boxes = _boxes([word.box for word in words])
        edges = self._edges
        heights = edges[:, 3] - edges[:, 1]
        middles = (edges[:, 1] + edges[:, 3]) / 2
        for line, (start, stop) in enumerate(spans):
            near = np.flatnonzero(
                (middles < edges[line, 1] + 0.2 * heights[line])
                & (edges[:, 3] > edges[line, 1] - _ABOVE_HEIGHTS * heights[line])
            )
            for word in range(start, stop):
                shared = np.minimum(edges[near, 2], boxes[word, 2]) - np.maximum(edges[near, 0], boxes[word, 0])
                over = near[shared > 0]
                if len(over):
                    nearest = over[np.argmax(edges[over, 3])]
                    first, last = spans[nearest]
                    centres = (boxes[first:last, 0] + boxes[first:last, 2]) / 2
                    centre = (boxes[word, 0] + boxes[word, 2]) / 2
                    found[word] = first + int(np.argmin(np.abs(centres - centre)))
        return found

    def before(self, word: int, count: int) -> list[int]:
        """Return up to ``count`` words to the left of one, the nearest first."""
        found: list[int] = []
        while len(found) < count and self.left[word] != NOTHING:
            word = int(self.left[word])
            if word in found:
                break
            found.append(word)
        return found

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return _boxes([line.box for line in self.page.lines])

    @cached_property
    def _beside(self) -> NDArray[np.int64]:
        """The nearest line to the left of each line in its row; below 0 where there is none."""
        edges = self._edges
        found = np.full(len(edges), NOTHING)
        for line, (x0, y0, x1, y1) in enumerate(edges):
            shared = np.minimum(edges[:, 3], y1) - np.maximum(edges[:, 1], y0)
            lower = np.minimum(edges[:, 3] - edges[:, 1], y1 - y0)
            middle = (edges[:, 0] + edges[:, 2]) / 2
            row = (shared > _ROW_OVERLAP * lower) & (edges[:, 2] < x0 + 0.3 * (x1 - x0)) & (middle < x0)
            if row.any():
                found[line] = int(np.argmax(np.where(row, edges[:, 2], -np.inf)))
        return found


def _boxes(boxes: Sequence[object]) -> NDArray[np.float64]:
    return np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes], dtype=np.float64).reshape(-1, 4)  # type: ignore[attr-defined]
