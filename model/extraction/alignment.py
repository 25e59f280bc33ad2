"""Carry the tags of printed words over to the words that an engine read, so that training sees what serving sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.document.bio import CONTINUOUS, OUTSIDE, field_of
from model.document.types import Line, Page, Word
from model.extraction.segmentation import split_word

# A read word that truth covers by less than this share of its width belongs to no field.
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
                goes_on = before is not None and before[0] == owner[0] and (before == owner or owner[0] in CONTINUOUS)
                result.append(f"{'I' if goes_on else 'B'}-{owner[0]}")
            before = owner
    return tuple(result)


def segment_truth(truth: Page, tags: Sequence[str]) -> tuple[Page, tuple[str, ...]]:
    """Cut printed words as read words are cut (:mod:`model.extraction.segmentation`), and give each piece its own tag.

    A label that is printed without a space before its value ("Tel:+49…") carries the value's tag, or, where it is the
    longer part, takes the value's away; after the cut the label is outside and the value begins the entity.

    Args:
        truth: What is printed.
        tags: One BIO tag for each of ``truth.words``.
    """
    lines: list[Line] = []
    result: list[str] = []
    for line, (start, stop) in zip(truth.lines, truth.line_spans(), strict=True):
        words: list[Word] = []
        row: list[str] = []
        claimed = False
        for index in range(start, stop):
            pieces, tag = split_word(truth.words[index]), tags[index]
            if claimed:
                # The value began in the word before, behind its label.
                tag, claimed = f"I-{tag[2:]}", False
            if len(pieces) > 1 and _is_label(pieces[0].text):
                following = tags[index + 1] if index + 1 < stop else OUTSIDE
                claimed = tag == OUTSIDE and following.startswith("B-")
                row += [OUTSIDE, *_going_on(following if claimed else tag, len(pieces) - 1)]
            else:
                row += _going_on(tag, len(pieces))
            words += pieces
        lines.append(Line(" ".join(word.text for word in words), line.polygon, line.score, tuple(words)))
        result += row
    return Page(truth.width, truth.height, tuple(lines)), tuple(result)


def _is_label(text: str) -> bool:
    return any(c.isalpha() for c in text) and not any(c.isdigit() or c == "@" for c in text)


def _going_on(tag: str, pieces: int) -> list[str]:
    field = field_of(tag)
    return [tag, *([OUTSIDE if field is None else f"I-{field}"] * (pieces - 1))]


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
    # Words of one line count by width: how high their letters stand says nothing of which is which.
    beside = height > 0.4 * np.minimum((a[:, 3] - a[:, 1])[:, None], (b[:, 3] - b[:, 1])[None])
    cover = np.clip(width, 0, None) * beside
    owners: list[tuple[str, int] | None] = []
    for word, row in zip(words, cover, strict=True):
        shares: dict[tuple[str, int] | None, float] = {}
        for index in np.flatnonzero(row):
            field = field_of(tags[index])
            key = None if field is None else (field, entity[index])
            shares[key] = shares.get(key, 0.0) + float(row[index])
        best = max(shares, key=lambda k: shares[k]) if shares else None
        owners.append(best if best is not None and shares[best] >= _LEAST_COVER * word.box.width else None)
    return owners
