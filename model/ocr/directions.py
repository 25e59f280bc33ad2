"""In which direction the lines of a page are read: the page's own, found by reading a few lines both ways.

Print that is read from the wrong end makes text too, but of characters that the recogniser doubts: on scanned cards and
receipts the six longest lines of a page have a mean score of 0.91 or more the right way up, and of 0.75 or less turned
round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage, crop
from model.document.layout import TALL_RATIO, UPRIGHT_RATIO, reading_directions
from model.document.types import Polygon
from model.ocr.recognised import Recognised

PROBES = 6
"""Lines of a page, the longest ones, that are read first."""

SURE = 0.88
"""Where their mean score is at least this, the page is not read the other way round."""

LITTLE, SURE_OF_LITTLE = 8.0, 0.95
"""Lines that are together shorter than this, in heights, may be words that mean something either way: 96, NOON."""

LEAD = 0.05
"""A page is turned round where that makes its mean score higher by this."""

DOUBTFUL, CLEARLY = 0.8, 0.15
"""A line below this score is read the other way round as well, and taken so if it is above it by that."""

LONG = 3.0
"""Shorter lines, in heights, follow their page: too little is written on them."""

MOST_HEIGHTS = 20.0
"""A line counts as no longer than this, so that one alone does not decide."""

# Turn of a page → the corner of an outline at which reading starts, counted from the top left as the image lies.
_FIRST_CORNER = {0: 0, 90: 3, 180: 2, 270: 1}
# Number of :func:`model.document.layout.reading_directions` → the corners from which they start.
_SHIFTS: dict[int, tuple[int, ...]] = {1: (0,), 2: (1, 3), 3: (1, 3, 0)}

Recognise = Callable[[Sequence[RgbImage]], list[Recognised]]


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line as it was read.

    Attributes:
        outline: Its corners, clockwise from where reading starts.
        crop: Its pixels, upright.
        result: What the recogniser says.
    """

    outline: Polygon
    crop: RgbImage
    result: Recognised


def read_lines(recognise: Recognise, image: RgbImage, outlines: Sequence[Polygon]) -> tuple[list[ReadLine], int]:
    """Read the lines of a page in their directions.

    Args:
        recognise: Reads crops.
        image: The page.
        outlines: Four corners a line, clockwise from the top left.

    Returns:
        The lines, in the same order, and by how many degrees the page has to be turned clockwise to stand upright.
    """
    attempts = _Attempts(recognise, image, outlines)
    turn = _turn_of(attempts, outlines)
    first = _FIRST_CORNER[turn]
    corners = [
        [first + shift for shift in _SHIFTS[len(reading_directions(_from_corner(outline, first)))]]
        for outline in outlines
    ]
    attempts.read([(index, corner) for index, few in enumerate(corners) for corner in few])
    doubtful = [
        index
        for index, few in enumerate(corners)
        if len(few) == 1 and _heights_long(outlines[index]) >= LONG and attempts.score(index, first) < DOUBTFUL
    ]
    attempts.read([(index, first + 2) for index in doubtful])
    for index in doubtful:
        if attempts.score(index, first + 2) >= max(DOUBTFUL, attempts.score(index, first) + CLEARLY):
            corners[index] = [first + 2]
    return [attempts.best(index, few) for index, few in enumerate(corners)], turn


def upright(recognise: Recognise, piece: RgbImage) -> RgbImage:
    """Turn a crop of one line so that its text stands upright.

    Args:
        recognise: Reads crops.
        piece: The line, with little around it, in any of four directions.
    """
    height, width = piece.shape[:2]
    outline = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    turn = _turn_of(_Attempts(recognise, piece, [outline]), [outline])
    return np.ascontiguousarray(np.rot90(piece, -(turn // 90)))


class _Attempts:
    """Readings of the lines of a page from one corner or another, each made once."""

    def __init__(self, recognise: Recognise, image: RgbImage, outlines: Sequence[Polygon]) -> None:
        self._recognise, self._image, self._outlines = recognise, image, outlines
        self._made: dict[tuple[int, int], ReadLine] = {}

    def read(self, wanted: Sequence[tuple[int, int]]) -> None:
        """Read lines, given by number and by the corner at which reading starts."""
        keys = dict.fromkeys((index, corner % 4) for index, corner in wanted)
        missing = [key for key in keys if key not in self._made]
        if not missing:
            return
        outlines = [_from_corner(self._outlines[index], corner) for index, corner in missing]
        crops = [crop(self._image, outline) for outline in outlines]
        for key, outline, piece, result in zip(missing, outlines, crops, self._recognise(crops), strict=True):
            self._made[key] = ReadLine(outline, piece, result)

    def score(self, index: int, corner: int) -> float:
        return self._made[index, corner % 4].result.score

    def best(self, index: int, corners: Sequence[int]) -> ReadLine:
        return max((self._made[index, corner % 4] for corner in corners), key=lambda line: line.result.score)


def _turn_of(attempts: _Attempts, outlines: Sequence[Polygon]) -> int:
    """Return by how many degrees a page has to be turned clockwise, by reading its longest lines."""
    ratios = [_ratio(outline) for outline in outlines]
    lengths = np.array([min(_heights_long(outline), MOST_HEIGHTS) for outline in outlines])
    tall = np.array([ratio >= TALL_RATIO for ratio in ratios], dtype=np.bool_)
    runs_across = lengths[~tall].sum() >= lengths[tall].sum()
    turns = (0, 180) if runs_across else (270, 90)
    lengths[tall == runs_across] = 0.0
    probes = [int(index) for index in np.argsort(-lengths, kind="stable")[:PROBES] if lengths[index] > 0]
    weights = lengths[probes]
    if weights.sum() < LONG:
        # A figure or two: nothing tells 6 from 9.
        return 0
    scores = {turns[0]: _mean(attempts, probes, turns[0], weights)}
    if scores[turns[0]] >= (SURE if weights.sum() >= LITTLE else SURE_OF_LITTLE):
        return turns[0]
    scores[turns[1]] = _mean(attempts, probes, turns[1], weights)
    if runs_across:
        scores[0] += LEAD
    elif max(ratios[index] for index in probes) < UPRIGHT_RATIO:
        # A page with nothing but a few figures that stand upright.
        scores[0] = _mean(attempts, probes, 0, weights)
    return max(scores, key=scores.__getitem__)


def _mean(attempts: _Attempts, lines: Sequence[int], turn: int, weights: NDArray[np.float64]) -> float:
    corner = _FIRST_CORNER[turn]
    attempts.read([(index, corner) for index in lines])
    return float(np.average([attempts.score(index, corner) for index in lines], weights=weights))


def _from_corner(outline: Polygon, corner: int) -> Polygon:
    corner %= 4
    return (*outline[corner:], *outline[:corner])


def _ratio(outline: Polygon) -> float:
    """Return height by width, as the image lies."""
    top, right, bottom, left = (math.dist(outline[i], outline[(i + 1) % 4]) for i in range(4))
    return max(right, left) / max(top, bottom, 1e-6)


def _heights_long(outline: Polygon) -> float:
    """Return how many times as long as high a line is, whichever way it runs."""
    ratio = max(_ratio(outline), 1e-6)
    return max(ratio, 1.0 / ratio)
