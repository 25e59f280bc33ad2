"""How much two outlines share: of regions, whatever their shape, and of words."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon as Shape
from shapely import STRtree, box, make_valid
from shapely.geometry.base import BaseGeometry

from ml_backend.errors import BackendError
from model.document.types import Box, Polygon

#: Outlines of more points are taken for their convex hulls: two of so many can cross each other thousands of times.
MAX_POINTS = 128
#: So are outlines of more points that cross themselves: n lines enclose up to n² areas.
MAX_CROSSING_POINTS = 8
#: How often the lines of all outlines that are compared may cross, at most; 25 for a pair of rectangles.
MAX_WORK = 1_000_000
#: A comparison takes no longer: a second limit, for shapes that are slower than their points suggest.
MAX_SECONDS = 20.0
#: Why regions beyond that are not compared.
TOO_COMPLEX = "Its regions lie on one another in too many ways to be compared."

_AT_ONCE = 64


class TooComplexError(BackendError):
    """Outlines that would take too long to compare."""

    status = 422


class Budget:
    """What comparing the outlines of one annotation may cost, in crossings and in time."""

    def __init__(self) -> None:
        self._work = 0
        self._started = time.monotonic()

    def spend(self, crossings: int) -> None:
        """Count a comparison before it is made.

        Args:
            crossings: How often its lines may cross: the product of the numbers of points.

        Raises:
            TooComplexError: If it is one too many.
        """
        self._work += crossings
        if self._work > MAX_WORK or time.monotonic() - self._started > MAX_SECONDS:
            raise TooComplexError(TOO_COMPLEX)


def shape_of(polygon: Polygon) -> BaseGeometry:
    """Return an outline as a shape that can be calculated with, in a time that is bounded.

    Where its lines cross each other it is what they enclose. Beyond :data:`MAX_POINTS`, or beyond
    :data:`MAX_CROSSING_POINTS` if they cross, it is the convex hull.
    """
    shape: BaseGeometry = Shape(polygon)
    if len(polygon) > MAX_POINTS:
        return shape.convex_hull
    if shape.is_valid:
        return shape
    return make_valid(shape) if len(polygon) <= MAX_CROSSING_POINTS else shape.convex_hull


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
    first: Sequence[BaseGeometry], second: Sequence[BaseGeometry], *, least: float, budget: Budget | None = None
) -> list[tuple[int, int, float]]:
    """Pair shapes that share most, each at most once.

    Args:
        first: Some shapes.
        second: Others.
        least: Intersection over union from which two may be the same, in ``(0, 1]``.
        budget: What this may cost; one of its own unless given.

    Returns:
        Index in ``first``, index in ``second``, and what they share; the closest pair first.

    Raises:
        TooComplexError: If so many lie on one another that this would take too long.
    """
    shared = _shared(first, second, least, budget or Budget())
    candidates = sorted(shared, key=lambda item: (-item[0], item[1], item[2]))
    taken_first: set[int] = set()
    taken_second: set[int] = set()
    pairs = []
    for value, i, j in candidates:
        if i not in taken_first and j not in taken_second:
            taken_first.add(i)
            taken_second.add(j)
            pairs.append((i, j, value))
    return pairs


def _shared(
    first: Sequence[BaseGeometry], second: Sequence[BaseGeometry], least: float, budget: Budget
) -> list[tuple[float, int, int]]:
    """Return what pairs share that share enough, with their indices.

    Raises:
        TooComplexError: See :func:`pairs_by_iou`.
    """
    if not first or not second:
        return []
    own, others = np.array(first, dtype=object), np.array(second, dtype=object)
    tree = STRtree(others)
    points = shapely.get_num_coordinates(own), shapely.get_num_coordinates(others)
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(own), _AT_ONCE):
        rows, columns = tree.query(own[start : start + _AT_ONCE])
        rows += start
        close = _may_share(own, others, rows, columns, least)
        rows, columns = rows[close], columns[close]
        for at in range(0, len(rows), _AT_ONCE):
            i, j = rows[at : at + _AT_ONCE], columns[at : at + _AT_ONCE]
            budget.spend(int((points[0][i] * points[1][j]).sum()))
            shared = shapely.area(shapely.intersection(own[i], others[j]))
            together = shapely.area(own[i]) + shapely.area(others[j]) - shared
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.where(together > 0, shared / together, 0.0)
            found += [
                (float(value), int(a), int(b)) for value, a, b in zip(values, i, j, strict=True) if value >= least
            ]
    return found


def _may_share(
    own: NDArray[np.object_],
    others: NDArray[np.object_],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    least: float,
) -> NDArray[np.bool_]:
    """Return which pairs share enough if each shares all that its bounding boxes do: no other ones can."""
    a, b = shapely.bounds(own[rows]), shapely.bounds(others[columns])
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    areas = shapely.area(own[rows]), shapely.area(others[columns])
    most = np.minimum(sides.clip(min=0).prod(axis=1), np.minimum(*areas))
    return np.asarray(most >= least * (areas[0] + areas[1] - most) * (1 - 1e-9))
