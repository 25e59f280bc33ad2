"""Where reading starts on a line, and in which order lines are read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median

from model.document import Line, Polygon

UPRIGHT_RATIO = 1.5
"""A line this many times as tall as wide is taken to run downwards, as PP-OCR's own pipelines take it."""

SAME_ROW = 0.5
"""Two lines stand in one row if their middles differ by less than this share of the lower line's height."""


def reading_polygon(outline: Polygon) -> Polygon:
    """Turn a detector's outline so that it starts where reading starts.

    Args:
        outline: Four corners, clockwise from the top left.

    Returns:
        The same corners. Wide lines keep their order; a line of :data:`UPRIGHT_RATIO` times its width in height is
        read from top to bottom with its letters' heads to the right, so that it starts at the top right.
    """
    top, right, bottom, left = (math.dist(outline[i], outline[(i + 1) % 4]) for i in range(4))
    return (*outline[1:], outline[0]) if max(right, left) >= UPRIGHT_RATIO * max(top, bottom) else outline


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
