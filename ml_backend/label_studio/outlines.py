"""How much two outlines share: of regions, whatever their shape, and of words."""

from __future__ import annotations

from collections.abc import Sequence

from shapely import Polygon as Shape
from shapely import box, make_valid
from shapely.geometry.base import BaseGeometry

from model.document.types import Box, Polygon


def shape_of(polygon: Polygon) -> BaseGeometry:
    """Return an outline as a shape that can be calculated with, also where its lines cross each other."""
    shape: BaseGeometry = Shape(polygon)
    return shape if shape.is_valid else make_valid(shape)


def shape_of_box(area: Box) -> BaseGeometry:
    """Return a box as a shape."""
    shape: BaseGeometry = box(area.x0, area.y0, area.x1, area.y1)
    return shape


def iou(first: BaseGeometry, second: BaseGeometry) -> float:
    """Return intersection over union, in ``[0, 1]``."""
    shared = first.intersection(second).area
    together = first.area + second.area - shared
    return float(shared / together) if together > 0 else 0.0


def covered(inner: BaseGeometry, outer: BaseGeometry) -> float:
    """Return the share of ``inner`` that lies in ``outer``, in ``[0, 1]``."""
    return float(inner.intersection(outer).area / inner.area) if inner.area > 0 else 0.0


def pairs_by_iou(
    first: Sequence[BaseGeometry], second: Sequence[BaseGeometry], *, least: float
) -> list[tuple[int, int, float]]:
    """Pair shapes that share most, each at most once.

    Args:
        first: Some shapes.
        second: Others.
        least: Intersection over union from which two may be the same, in ``(0, 1]``.

    Returns:
        Index in ``first``, index in ``second``, and what they share; the closest pair first.
    """
    shared = ((iou(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(second) if a.intersects(b))
    candidates = sorted((item for item in shared if item[0] >= least), key=lambda item: (-item[0], item[1], item[2]))
    taken_first: set[int] = set()
    taken_second: set[int] = set()
    pairs = []
    for value, i, j in candidates:
        if i not in taken_first and j not in taken_second:
            taken_first.add(i)
            taken_second.add(j)
            pairs.append((i, j, value))
    return pairs
