"""BIO tags: ``O`` outside, ``B-NAME`` at the first word of a field's value, ``I-NAME`` at the words that go on.

Introduced as IOB2 by Tjong Kim Sang and Veenstra, "Representing Text Chunks" (EACL 1999).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

OUTSIDE = "O"
FIELDS = ("NAME", "POSITION", "COMPANY", "PHONE", "FAX", "EMAIL", "WEBSITE", "ADDRESS")

# Values that go on until something else comes: two of them never stand side by side in one line, as two numbers do.
CONTINUOUS = frozenset({"NAME", "POSITION", "COMPANY", "ADDRESS"})

Evidence = Callable[[str, int, int], float]
"""What else speaks for a field's value in a half-open range of words: a log odds ratio, 0 where nothing does."""


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
        lines: Half-open word ranges that together cover all words, as :meth:`model.document.types.Page.line_spans`
            gives.
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


def decode(
    log_probabilities: NDArray[np.float64],
    tags: Sequence[str],
    lines: Sequence[tuple[int, int]],
    evidence: Evidence | None = None,
) -> list[str]:
    """Return the most probable valid sequence of tags, line by line.

    Valid means that ``I-X`` follows ``B-X`` or ``I-X`` of the same line, and ``B-X`` of a continuous field does not.
    Whole values are weighed, not words alone, so that evidence on a value counts before it is decided (a semi-Markov
    model: Sarawagi and Cohen, NIPS 2004; the search is Viterbi's).

    Args:
        log_probabilities: Shape ``(words, tags)``.
        tags: The tag of each column.
        lines: Half-open word ranges that together cover all words.
        evidence: Called with a field and a range of words; what it returns is added to the range's log probability.
    """
    columns = {tag: index for index, tag in enumerate(tags)}
    fields = tuple(dict.fromkeys(tag[2:] for tag in tags if field_of(tag) is not None))
    decoded: list[str] = []
    for first, last in lines:
        found = _best_spans(log_probabilities, columns, fields, first, last, evidence)
        row = [OUTSIDE] * (last - first)
        for field, start, stop in found:
            row[start - first : stop - first] = [f"B-{field}", *[f"I-{field}"] * (stop - start - 1)]
        decoded += row
    return decoded


def _best_spans(
    log_probabilities: NDArray[np.float64],
    columns: Mapping[str, int],
    fields: Sequence[str],
    first: int,
    last: int,
    evidence: Evidence | None,
) -> list[tuple[str, int, int]]:
    """Return the values of the best way to cut the words of one line."""
    # For each place, the best way to get there by what ends there: a field's value, or nothing ("").
    best: list[dict[str, float]] = [{"": 0.0}]
    came_from: list[dict[str, tuple[int, str]]] = [{}]
    going_on = {
        field: np.concatenate(([0.0], np.cumsum(log_probabilities[first:last, columns[f"I-{field}"]])))
        for field in fields
    }
    for stop in range(first + 1, last + 1):
        here: dict[str, float] = {}
        origin: dict[str, tuple[int, str]] = {}
        before = best[stop - 1 - first]
        last_field = max(before, key=lambda field: before[field])
        here[""] = before[last_field] + log_probabilities[stop - 1, columns[OUTSIDE]]
        origin[""] = (stop - 1, last_field)
        for field in fields:
            running = going_on[field]
            for start in range(first, stop):
                before = best[start - first]
                allowed = [f for f in before if f != field or field not in CONTINUOUS]
                last_field = max(allowed, key=lambda f: before[f])
                score = before[last_field] + log_probabilities[start, columns[f"B-{field}"]]
                score += running[stop - first] - running[start + 1 - first]
                if evidence is not None:
                    score += evidence(field, start, stop)
                if score > here.get(field, -np.inf):
                    here[field], origin[field] = float(score), (start, last_field)
        best.append(here)
        came_from.append(origin)
    found: list[tuple[str, int, int]] = []
    place, field = last, max(best[-1], key=lambda f: best[-1][f])
    while place > first:
        start, previous = came_from[place - first][field]
        if field:
            found.append((field, start, place))
        place, field = start, previous
    return found[::-1]
