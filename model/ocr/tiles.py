"""Finds the lines of a page of any size: at a small look, at larger ones where print is small, in the end in tiles.

What a look costs grows with its pixels, and most pages show all of their print in a small one. The detector looks at a
limited number of pixels. A page that is larger is reduced; one that is long and narrow, or set in small print, would so
lose its lines. It is looked at again in tiles that overlap, at a scale at which its print is large enough: the cost
grows with the page's area, no faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage
from model.document.types import PageNote, Polygon
from model.ocr.scale import LONG_SIDE, SHORT_SIDE, back_to_page, resized, scale_at_once

FIRST_SIDE, FIRST_SCALE = 576, 0.55
"""Pixels of the longer side of a page at the first look, and the least scale of that look: small print is lost in a
reduction by more."""

LEAST_FOR_SMALL = 0.8
"""Pages that the largest look at a whole page reduces below this are not looked at small."""

CLEAR_PRINT = 14.0
"""Where outlines are lower than this, as the detector sees them, lines beside them may be missing: it looks again."""

FEW_LINES = 3
"""A page on which fewer lines are found is looked at as large as possible: a figure alone takes an exact outline."""

LEAST_STEP = 1.3
"""A further look is so many times as large as the one before, or larger."""

OVERLAP = 192
"""Pixels, as the detector sees them, that neighbouring tiles share: more than the height of a line of small print."""

MOST_TILES = 64
"""A page that would need more is looked at less closely, and that is said."""

ENOUGH = 0.7
"""A narrow page is looked at once if that shows its print at this share of the scale that its shorter side allows."""

LEAST_SCALE = 0.35
"""Pages that one look reduces below this are looked at in tiles besides."""

SMALL_PRINT, GOOD_PRINT = 11.0, 20.0
"""Outlines lower than the first are of print too small to be found for sure; at the second it is. As the detector sees
them, in pixels: an outline is about half as high again as the print."""

SMALL_SHARE = 0.2
"""From this share of small lines on, a page is looked at more closely."""

LEAST_PRINT = 8
"""Print lower than this, in pixels as the detector sees it, is mostly not found."""

_SAME = 0.6
_WITHIN = 0.8

Detect = Callable[[RgbImage], Sequence[Polygon]]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a page, in its pixels: the half-open ranges of its columns and rows."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def polygon(self) -> Points:
        """Its corners."""
        return np.array(((self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)), np.float32)


def find_lines(detect: Detect, image: RgbImage) -> tuple[list[Polygon], tuple[PageNote, ...]]:
    """Find the lines of a page.

    Args:
        detect: Finds those of an image that it takes as it is; see :class:`model.ocr.engine.Detector`.
        image: The page.

    Returns:
        Their outlines in pixels of the page, and what was not looked for.
    """
    height, width = image.shape[:2]
    once = scale_at_once(width, height)
    found, seen = _looked_at_whole(detect, image, once)
    closer = _closer_scale(width, height, once, [_height(outline) * seen for outline in found])
    if closer <= once:
        return found, ()
    scale = closer
    while len(tiles_of(width, height, scale)) > MOST_TILES:
        scale *= 0.9
    notes = (PageNote("too_small", math.ceil(LEAST_PRINT / scale)),) if scale < closer else ()
    if scale <= once:
        return found, notes
    large = [outline for outline in found if _height(outline) * once >= GOOD_PRINT]
    tiles = tiles_of(width, height, scale)
    parts = joined([(tile, _look(detect, image, tile, scale)) for tile in tiles])
    return [*large, *(part for part in parts if not _is_known(part, large))], notes


def tiles_of(width: int, height: int, scale: float) -> list[Tile]:
    """Return the tiles in which a page is looked at: of like size, in rows, each sharing a margin with the next."""
    columns, rows = _ranges(width, scale), _ranges(height, scale)
    return [Tile(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]


def joined(looks: Sequence[tuple[Tile, Sequence[Polygon]]]) -> list[Polygon]:
    """Return the outlines found in several tiles, each line once.

    Two outlines of different tiles are of one line if they agree where both tiles could see them; the line is then as
    long as both together.

    Args:
        looks: Tiles, and what was found in each, in pixels of the page.
    """
    outlines = [(number, outline) for number, (_, found) in enumerate(looks) for outline in found]
    owner = list(range(len(outlines)))

    def root(index: int) -> int:
        while owner[index] != index:
            index = owner[index]
        return index

    points = [np.array(outline, np.float32) for _, outline in outlines]
    members: list[list[int]] = [[] for _ in looks]
    for index, (number, _) in enumerate(outlines):
        members[number].append(index)
    for one, other in combinations(range(len(looks)), 2):
        zone = _shared(looks[one][0], looks[other][0])
        if zone is None:
            continue
        near = [[index for index in members[number] if _meets(points[index], zone)] for number in (one, other)]
        for a in near[0]:
            for b in near[1]:
                if _meets(points[a], _box(points[b])) and _agree(points[a], points[b], zone.polygon):
                    owner[root(b)] = root(a)
    groups: dict[int, list[int]] = {}
    for index in range(len(outlines)):
        groups.setdefault(root(index), []).append(index)
    return [_united([outlines[index][1] for index in group]) for group in groups.values()]


def _looked_at_whole(detect: Detect, image: RgbImage, once: float) -> tuple[list[Polygon], float]:
    """Look at a whole page, small first and larger for as long as its print is small.

    Args:
        detect: See :func:`find_lines`.
        image: The page.
        once: The largest scale at which all of it is looked at.

    Returns:
        The outlines of the last look, and its scale.
    """
    height, width = image.shape[:2]
    whole = Tile(0, 0, width, height)
    # On a page that is reduced further, print beside a heading may be too low to be found: nothing would show it.
    small = once >= LEAST_FOR_SMALL and once >= _scale_of_shape(width, height, once)
    scale = min(once, max(FIRST_SCALE, FIRST_SIDE / max(width, height))) if small else once
    while True:
        found = _look(detect, image, whole, scale)
        lowest = _lowest([_height(outline) * scale for outline in found])
        if scale >= once or (lowest >= CLEAR_PRINT and len(found) >= FEW_LINES):
            return found, scale
        few = len(found) < FEW_LINES or not lowest
        scale = once if few else min(once, scale * max(LEAST_STEP, GOOD_PRINT / lowest))


def _closer_scale(width: int, height: int, once: float, heights: Sequence[float]) -> float:
    """Return the scale at which a page's print is large enough; what it was looked at where that was.

    Args:
        width: The page's, in pixels.
        height: The page's.
        once: The largest scale at which all of it is looked at.
        heights: Of the outlines found, in pixels as the detector saw them.
    """
    if once >= 1.0:
        return once
    lowest = _lowest(heights)
    by_shape = _scale_of_shape(width, height, once)
    if lowest >= SMALL_PRINT:
        return by_shape
    return max(by_shape, min(1.0, once * GOOD_PRINT / lowest) if lowest else 1.0)


def _scale_of_shape(width: int, height: int, once: float) -> float:
    """Return the scale that a page takes that is too narrow or too large to be looked at once; otherwise ``once``."""
    scales = [once]
    narrow = min(1.0, SHORT_SIDE / min(width, height))
    if once < ENOUGH * narrow:
        scales.append(narrow)
    if once < LEAST_SCALE:
        scales.append(LEAST_SCALE)
    return max(scales)


def _lowest(heights: Sequence[float]) -> float:
    """Return the height below which the share of small lines is that counts; 0 where there are none."""
    return sorted(heights)[int(SMALL_SHARE * len(heights))] if heights else 0.0


def _look(detect: Detect, image: RgbImage, tile: Tile, scale: float) -> list[Polygon]:
    part = image[tile.y0 : tile.y1, tile.x0 : tile.x1]
    scaled = resized(part, scale)
    found = (back_to_page(outline, scaled, part) for outline in detect(scaled))
    return [tuple((x + tile.x0, y + tile.y0) for x, y in outline) for outline in found if outline is not None]


def _ranges(side: int, scale: float) -> list[tuple[int, int]]:
    """Return the ranges of pixels into which a side is parted."""
    length = side * scale
    count = 1 if length <= LONG_SIDE else math.ceil((length - OVERLAP) / (LONG_SIDE - OVERLAP))
    span = (length + (count - 1) * OVERLAP) / count / scale
    step = span - OVERLAP / scale
    return [(max(0, round(n * step)), min(side, round(n * step + span))) for n in range(count)]


def _height(outline: Polygon) -> float:
    """Return the shorter side of an outline: the height of its print, whichever way it runs."""
    sides = [math.dist(outline[i], outline[(i + 1) % 4]) for i in range(4)]
    return min(max(sides[0], sides[2]), max(sides[1], sides[3]))


def _shared(one: Tile, other: Tile) -> Tile | None:
    zone = Tile(max(one.x0, other.x0), max(one.y0, other.y0), min(one.x1, other.x1), min(one.y1, other.y1))
    return zone if zone.x0 < zone.x1 and zone.y0 < zone.y1 else None


def _box(points: Points) -> Tile:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return Tile(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))


def _meets(points: Points, zone: Tile) -> bool:
    return _shared(_box(points), zone) is not None


def _agree(one: Points, other: Points, zone: Points) -> bool:
    """Tell whether two outlines are of one line, by what lies in both tiles."""
    least = min(_common(one, zone)[0], _common(other, zone)[0])
    area, both = _common(one, other)
    if not least or both is None:
        return False
    return _common(both, zone)[0] >= _SAME * least and area > 0


def _common(one: Points, other: Points) -> tuple[float, Points | None]:
    area, both = cv2.intersectConvexConvex(one, other)
    return float(area), None if both is None or len(both) < 3 else np.asarray(both, np.float32).reshape(-1, 2)


def _is_known(outline: Polygon, known: Sequence[Polygon]) -> bool:
    points = np.array(outline, np.float32)
    area = max(1e-6, float(cv2.contourArea(points)))
    for other in known:
        rival = np.array(other, np.float32)
        if _meets(rival, _box(points)) and _common(points, rival)[0] >= _SAME * area:
            return True
    return False


def _united(outlines: Sequence[Polygon]) -> Polygon:
    """Return one outline around several of the same line, its corners in the order of the longest one's."""
    longest = max(outlines, key=lambda outline: float(cv2.contourArea(np.array(outline, np.float32))))
    own = np.array(longest, np.float32)
    if all(
        _common(own, points)[0] >= _WITHIN * float(cv2.contourArea(points))
        for points in (np.array(outline, np.float32) for outline in outlines)
    ):
        return longest
    corners = cv2.boxPoints(cv2.minAreaRect(np.concatenate([np.array(outline, np.float32) for outline in outlines])))
    # Clockwise, as boxPoints gives them: only where they begin is open.
    along = own[1] - own[0]
    best = max(
        (np.roll(corners, -shift, axis=0) for shift in range(4)), key=lambda turned: (turned[1] - turned[0]) @ along
    )
    return tuple((float(x), float(y)) for x, y in best)
