"""From a line and the places of its characters to words with boxes of their own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from model.document import Box, Point, Polygon, Word


def split_line(text: str, centres: Sequence[float], polygon: Polygon, score: float) -> tuple[Word, ...]:
    """Split a line at its white space, each word with the box that the engine's characters give it.

    Args:
        text: The line as the engine read it.
        centres: Where the middle of each character that is no white space stands along the line, as a share of its
            length in ``[0, 1]``. If they are not one a character and ascending, the engine gave no usable places: then
            the line is divided in proportion to the number of characters instead.
        polygon: Four corners, clockwise from where reading starts.
        score: The engine's confidence in the line; the words inherit it.

    Returns:
        The words in NFC, in reading order; none if the text is blank. Boxes are upright hulls: on a tilted line they
        are larger than the word.
    """
    words = text.split()
    if not words:
        return ()
    usable = len(centres) == sum(map(len, words)) and all(a < b for a, b in pairwise((0.0, *centres, 1.0)))
    spans = _spans_from_centres(words, centres) if usable else _spans_in_proportion(words)
    return tuple(
        Word(unicodedata.normalize("NFC", word), _hull(polygon, start, stop), score)
        for word, (start, stop) in zip(words, spans, strict=True)
    )


def _spans_from_centres(words: list[str], centres: Sequence[float]) -> list[tuple[float, float]]:
    """Reach half a character to either side of a word's outer characters, but never past the middle of a gap."""
    groups, start = [], 0
    for word in words:
        groups.append(centres[start : start + len(word)])
        start += len(word)
    steps = [b - a for group in groups for a, b in pairwise(group)]
    half = (sum(steps) / len(steps) if steps else 1.0 / max(1, len(centres))) / 2
    middles = [0.0, *((left[-1] + right[0]) / 2 for left, right in pairwise(groups)), 1.0]
    return [
        (max(before, group[0] - half), min(after, group[-1] + half))
        for group, (before, after) in zip(groups, pairwise(middles), strict=True)
    ]


def _spans_in_proportion(words: list[str]) -> list[tuple[float, float]]:
    length = sum(map(len, words)) + len(words) - 1
    spans, start = [], 0
    for word in words:
        spans.append((start / length, (start + len(word)) / length))
        start += len(word) + 1
    return spans


def _hull(polygon: Polygon, start: float, stop: float) -> Box:
    upper_left, upper_right, lower_right, lower_left = polygon[:4]
    corners = [_between(upper_left, upper_right, share) for share in (start, stop)]
    corners += [_between(lower_left, lower_right, share) for share in (start, stop)]
    return Box.of_polygon(corners)


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
