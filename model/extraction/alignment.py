"""Carry the tags of printed words over to the words that an engine read, so that training sees what serving sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.bio import OUTSIDE, field_of
from model.document import Page, Word

# A read word that truth covers by less than this share of its area belongs to no field.
_LEAST_COVER = 0.25


def align(read: Page, truth: Page, tags: Sequence[str]) -> tuple[str, ...]:
    """Return a BIO tag for each word of ``read``.

    A read word takes the field of the printed words that cover most of it. It begins an entity where a line begins,
    where the field changes, and where another printed entity begins.

    Args:
        read: What an engine found, in pixels of the same image as ``truth``.
        truth: What is printed.
        tags: One BIO tag for each of ``truth.words``.

    Raises:
        ValueError: If ``tags`` does not fit ``truth``.
    """
    printed = truth.words
    if len(tags) != len(printed):
        raise ValueError(f"{len(tags)} tags for {len(printed)} printed words")
    words = read.words
    if not words or not printed:
        return (OUTSIDE,) * len(words)
    owners = _owners(words, printed, tags)
    result: list[str] = []
    for start, stop in read.line_spans():
        before: tuple[str, int] | None = None
        for owner in owners[start:stop]:
            if owner is None:
                result.append(OUTSIDE)
            else:
                result.append(f"{'I' if owner == before else 'B'}-{owner[0]}")
            before = owner
    return tuple(result)


def _owners(words: Sequence[Word], printed: Sequence[Word], tags: Sequence[str]) -> list[tuple[str, int] | None]:
    """Return, for each read word, the ``(field, entity number)`` that covers most of it, or None."""
    entity, number = [], -1
    for tag in tags:
        number += not tag.startswith("I-")
        entity.append(number)
    a = np.array([(w.box.x0, w.box.y0, w.box.x1, w.box.y1) for w in words])
    b = np.array([(w.box.x0, w.box.y0, w.box.x1, w.box.y1) for w in printed])
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    cover = np.clip(width, 0, None) * np.clip(height, 0, None)
    owners: list[tuple[str, int] | None] = []
    for word, row in zip(words, cover, strict=True):
        shares: dict[tuple[str, int] | None, float] = {}
        for index in np.flatnonzero(row):
            field = field_of(tags[index])
            key = None if field is None else (field, entity[index])
            shares[key] = shares.get(key, 0.0) + float(row[index])
        best = max(shares, key=lambda k: shares[k]) if shares else None
        owners.append(best if best is not None and shares[best] >= _LEAST_COVER * word.box.area else None)
    return owners
