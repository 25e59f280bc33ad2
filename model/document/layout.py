"""In which direction a line is read, and in which order lines are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from model.document.types import Line, Polygon

TALL_RATIO = 1.5
"""A line this many times as tall as wide may run downwards or upwards. PP-OCR's own pipelines read it downwards."""

UPRIGHT_RATIO = 3.5
"""A line this many times as tall as wide is no upright sign any more."""

SAME_ROW = 0.5
"""Two lines stand in one row if their middles differ by less than this share of the lower line's height."""


def reading_directions(outline: Polygon) -> tuple[Polygon, ...]:
    """Return the ways in which a line may have to be read, the most likely first.

    Args:
        outline: Four corners, clockwise from the top left.

    Returns:
        The same corners, each time from where reading would start. A wide line is read from the left. A tall one runs
        downwards, or upwards, or, if not too tall for that, it is a sign or two that stand upright.
    """
    top, right, bottom, left = (math.dist(outline[i], outline[(i + 1) % 4]) for i in range(4))
    ratio = max(right, left) / max(top, bottom)
    if ratio < TALL_RATIO:
        return (outline,)
    downwards, upwards = (*outline[1:], outline[0]), (outline[3], *outline[:3])
    return (downwards, upwards, outline) if ratio < UPRIGHT_RATIO else (downwards, upwards)


def read_from(outline: Polygon, direction: Polygon) -> Polygon:
    """Return the corners of an outline that somebody drew, in the order in which a line is read.

    Args:
        outline: Three corners or more, in either sense of rotation, from any of them on.
        direction: A line that is read the same way: its corners clockwise from where reading starts.

    Returns:
        The same corners, clockwise. Of four, the first edge runs along the text; of others the first is the one nearest
        to where the text starts.
    """
    doubled = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(outline, (*outline[1:], outline[0]), strict=True))
    corners = outline if doubled >= 0 else outline[::-1]
    turned = [(*corners[first:], *corners[:first]) for first in range(len(corners))]
    (x0, y0), (x1, y1) = direction[:2]
    along = x1 - x0, y1 - y0
    if len(corners) != 4:
        across = -along[1], along[0]
        return min(turned, key=lambda way: sum(c * (a + b) for c, a, b in zip(way[0], along, across, strict=True)))

    def agreement(way: Polygon) -> float:
        dx, dy = way[1][0] - way[0][0], way[1][1] - way[0][1]
        return (dx * along[0] + dy * along[1]) / max(math.hypot(dx, dy), 1e-9)

    return max(turned, key=agreement)


def in_reading_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Sort lines from top to bottom and, within a row, from left to right.

    A line joins a row while its middle lies within :data:`SAME_ROW` of the smaller height from the middle of the
    row, so that words that a scan tilts a little stay side by side. Columns are not told apart.
    """
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.box.center[1], line.box.x0)):
        if rows and _belongs(line, rows[-1]):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda line: (line.box.x0, line.box.y0)))


def _belongs(line: Line, row: list[Line]) -> bool:
    middle = median(member.box.center[1] for member in row)
    height = min(line.box.height, median(member.box.height for member in row))
    return abs(line.box.center[1] - middle) < SAME_ROW * height
