"""From a line's text and the places of its characters to words with boxes of their own."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from model.document.images import RgbImage
from model.document.types import Box, Point, Polygon, Word
from model.ocr.ink import Gap, gaps_around

SPACE_WIDTH = 0.4
"""From this width on, as a share of the line's height, a gap in the print may be a space that was not read."""

SPACE_CONTRAST = 3.0
"""So many times as wide as the line's usual gap must it be: spaced-out capitals are one word."""


@dataclass(frozen=True, slots=True)
class Span:
    """A word and where it stands along its line, as shares of the line's length; ``0 <= start < stop <= 1``."""

    text: str
    start: float
    stop: float


def split_line(text: str, centres: Sequence[float], crop: RgbImage) -> tuple[Span, ...]:
    """Split a line into words at its white space, and where the print leaves a gap as wide as a space.

    The places of the characters come from the engine. A word reaches to the gaps next to its outer characters, or,
    where print or background let none be seen, half a character to either side of them.

    Args:
        text: The line as the engine read it.
        centres: Where the middle of each character that is no white space stands, as a share of the line's length. If
            they are not one a character and ascending, the engine gave no usable places: then the line is divided in
            proportion to the number of characters, and no space is added.
        crop: The line, upright.

    Returns:
        The words in NFC and in reading order; none if the text is blank.
    """
    words = text.split()
    if not words:
        return ()
    if len(centres) != sum(map(len, words)) or any(a >= b for a, b in pairwise((0.0, *centres, 1.0))):
        return tuple(_in_proportion(words))
    gaps = gaps_around(crop, centres)
    words = _parted("".join(words), _breaks(words, gaps, crop.shape[1] / crop.shape[0]))
    return tuple(_at_the_ink(words, centres, gaps))


def place_words(spans: Sequence[Span], polygon: Polygon, score: float) -> tuple[Word, ...]:
    """Give each word of a line its box: the upright hull of its part of the line, larger than the word if tilted.

    Args:
        spans: The words.
        polygon: Four corners of the line, clockwise from where reading starts.
        score: The engine's confidence in the line; the words inherit it.
    """
    return tuple(Word(span.text, _hull(polygon, span), score) for span in spans)


def _breaks(words: Sequence[str], gaps: Sequence[Gap | None], aspect: float) -> set[int]:
    """Return before which characters a word begins, the first excepted; ``aspect`` is width over height."""
    read, position = set(), 0
    for word in words[:-1]:
        position += len(word)
        read.add(position)
    characters = "".join(words)
    widths = [gap.width * aspect if gap else 0.0 for gap in gaps]
    within = [widths[index] for index in range(1, len(characters)) if index not in read]
    enough = max(SPACE_WIDTH, SPACE_CONTRAST * median(within)) if within else SPACE_WIDTH
    unread = {
        index
        for index in range(1, len(characters))
        if widths[index] >= enough and not (_is_wide(characters[index - 1]) or _is_wide(characters[index]))
    }
    return read | unread


def _is_wide(character: str) -> bool:
    # Full-width signs bring their own blank, and their scripts write no spaces.
    return unicodedata.east_asian_width(character) in "WF"


def _parted(characters: str, breaks: set[int]) -> list[str]:
    return [characters[start:stop] for start, stop in pairwise((0, *sorted(breaks), len(characters)))]


def _at_the_ink(words: Sequence[str], centres: Sequence[float], gaps: Sequence[Gap | None]) -> Iterator[Span]:
    plain = list(_around_centres(words, centres))
    placed, first = [], 0
    for word, (start, stop) in zip(words, plain, strict=True):
        before, after = gaps[first], gaps[first + len(word)]
        placed.append((before.stop if before else start, after.start if after else stop))
        first += len(word)
    edges = [edge for span in placed for edge in span]
    # Where centres and ink contradict each other, as on a sign too faint to count, the engine is believed.
    sound = all(a <= b for a, b in pairwise(edges)) and all(start < stop for start, stop in placed)
    for word, (start, stop) in zip(words, placed if sound else plain, strict=True):
        yield Span(unicodedata.normalize("NFC", word), start, stop)


def _around_centres(words: Sequence[str], centres: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield half a character to either side of each word, but never past the middle between two words."""
    groups, first = [], 0
    for word in words:
        groups.append(centres[first : first + len(word)])
        first += len(word)
    steps = [b - a for group in groups for a, b in pairwise(group)]
    half = (sum(steps) / len(steps) if steps else 1.0 / len(centres)) / 2
    middles = [0.0, *((left[-1] + right[0]) / 2 for left, right in pairwise(groups)), 1.0]
    for group, (before, after) in zip(groups, pairwise(middles), strict=True):
        yield max(before, group[0] - half), min(after, group[-1] + half)


def _in_proportion(words: Sequence[str]) -> Iterator[Span]:
    length, start = sum(map(len, words)) + len(words) - 1, 0
    for word in words:
        yield Span(unicodedata.normalize("NFC", word), start / length, (start + len(word)) / length)
        start += len(word) + 1


def _hull(polygon: Polygon, span: Span) -> Box:
    upper_left, upper_right, lower_right, lower_left = polygon[:4]
    corners = [_between(upper_left, upper_right, share) for share in (span.start, span.stop)]
    corners += [_between(lower_left, lower_right, share) for share in (span.start, span.stop)]
    return Box.of_polygon(corners)


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
