"""What naming the fields of a page comes to, and the arithmetic that all who name have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.document.bio import field_of
from model.document.types import Box, Doubts, Entity, Page
from model.extraction.decoding import Candidate


@dataclass(frozen=True, slots=True)
class Extraction:
    """What the extractor says of one page.

    Attributes:
        entities: In reading order, never overlapping.
        probabilities: Shape ``(words, tags)``; rows sum to 1.
        score: How sure it is of the whole, in ``[0, 1]``: ``1 / (1 + expected corrections)``, where a word is expected
            to need ``1 - (probability of its field × reading confidence)`` corrections. 0 for a page without words:
            nothing was read, so a person should look.
        embedding: Shape ``(hidden,)``: the mean of the last hidden states of the words, by which documents of one kind
            are near one another. Zeros for a page without words.
        doubts: What it is unsure of, word by word.
    """

    entities: tuple[Entity, ...]
    probabilities: NDArray[np.float64]
    score: float
    embedding: NDArray[np.float32]
    doubts: Doubts


def entities_of(page: Page, named: Iterable[tuple[Candidate, float]]) -> tuple[Entity, ...]:
    """Return values as entities of a page, each with its confidence as score."""
    words = page.words
    return tuple(
        Entity(
            value.field,
            entity_text(value.field, [word.text for word in words[value.start : value.stop]]),
            Box.around(word.box for word in words[value.start : value.stop]),
            confidence,
            value.start,
            value.stop,
        )
        for value, confidence in named
    )


def expected_corrections(
    page: Page, probabilities: NDArray[np.float64], tags: Sequence[str], entities: Sequence[Entity]
) -> float:
    """Return how many words are probably named or read wrongly.

    Args:
        page: Its words.
        probabilities: Shape ``(words, tags)``; rows sum to 1.
        tags: The tag of each column.
        entities: What was named.
    """
    field_at: dict[int, str] = {i: entity.field for entity in entities for i in range(entity.start, entity.stop)}
    # For each field, and None for outside, the probability of each word to be part of it.
    mass: dict[str | None, NDArray[np.float64]] = {}
    for column, tag in enumerate(tags):
        field = field_of(tag)
        mass[field] = mass.get(field, np.zeros(len(probabilities))) + probabilities[:, column]
    return float(sum(1.0 - mass[field_at.get(i)][i] * word.score for i, word in enumerate(page.words)))


def entity_text(field: str, words: list[str]) -> str:
    """Return the value that ``words`` spell: addresses of the net without spaces, all else joined by one."""
    return ("" if field in {"EMAIL", "WEBSITE"} else " ").join(words)
