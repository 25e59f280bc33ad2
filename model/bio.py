"""BIO tags: ``O`` outside, ``B-NAME`` at the first word of a field's value, ``I-NAME`` at the words that go on.

Introduced as IOB2 by Tjong Kim Sang and Veenstra, «Representing Text Chunks» (EACL 1999).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

OUTSIDE = "O"
FIELDS = ("NAME", "POSITION", "COMPANY", "PHONE", "FAX", "EMAIL", "WEBSITE", "ADDRESS")

# Values that go on until something else comes: two of them never stand side by side in one line, as two numbers do.
CONTINUOUS = frozenset({"COMPANY", "ADDRESS"})

_IMPOSSIBLE = -1e9


def tags_of(fields: Sequence[str]) -> tuple[str, ...]:
    """Return all tags of ``fields``: ``O`` first, then ``B-`` and ``I-`` of each field, in order."""
    return (OUTSIDE, *(f"{prefix}-{field}" for field in fields for prefix in "BI"))


def field_of(tag: str) -> str | None:
    """Return the field that ``tag`` names, or None for ``O``."""
    return None if tag == OUTSIDE else tag[2:]


def spans(tags: Sequence[str], lines: Sequence[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Return ``(field, start, stop)`` of each entity, in order; none reaches across the end of a line.

    An ``I-`` tag without a matching tag before it opens an entity, so that no word that was tagged is lost.

    Args:
        tags: One tag a word.
        lines: Half-open word ranges that together cover all words, as :meth:`model.document.Page.line_spans` gives.
    """
    found: list[tuple[str, int, int]] = []
    for first, last in lines:
        for index in range(first, last):
            field = field_of(tags[index])
            if field is None:
                continue
            goes_on = found and found[-1][0] == field and found[-1][2] == index > first and tags[index].startswith("I-")
            if goes_on:
                found[-1] = (field, found[-1][1], index + 1)
            else:
                found.append((field, index, index + 1))
    return found


def decode(log_probabilities: NDArray[np.float64], tags: Sequence[str], lines: Sequence[tuple[int, int]]) -> list[str]:
    """Return the most probable valid sequence of tags, line by line (Viterbi, 1967).

    Valid means that ``I-X`` follows ``B-X`` or ``I-X`` of the same line, and ``B-X`` of a continuous field does not.

    Args:
        log_probabilities: Shape ``(words, tags)``.
        tags: The tag of each column.
        lines: Half-open word ranges that together cover all words.
    """
    may_follow = np.array([[_may_follow(before, tag) for tag in tags] for before in tags], dtype=bool)
    transition = np.where(may_follow, 0.0, _IMPOSSIBLE)
    opening = np.array([_IMPOSSIBLE if t.startswith("I-") else 0.0 for t in tags])
    decoded: list[str] = []
    for first, last in lines:
        if first == last:
            continue
        best = opening + log_probabilities[first]
        came_from: list[NDArray[np.int64]] = []
        for index in range(first + 1, last):
            scores = best[:, None] + transition
            came_from.append(scores.argmax(axis=0))
            best = scores.max(axis=0) + log_probabilities[index]
        path = [int(best.argmax())]
        for pointers in reversed(came_from):
            path.append(int(pointers[path[-1]]))
        decoded += [tags[i] for i in reversed(path)]
    return decoded


def _may_follow(before: str, tag: str) -> bool:
    if tag.startswith("I-"):
        return field_of(before) == field_of(tag)
    return tag == OUTSIDE or field_of(before) != field_of(tag) or field_of(tag) not in CONTINUOUS
