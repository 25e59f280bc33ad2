"""The arithmetic between a page's pixels and Label Studio's per cents: the only place where one becomes the other.

Label Studio describes a rectangle by its top left corner before rotation, its size along its own sides, and a rotation
about that corner, clockwise in degrees. Corner and size are per cents of the image's width and height, the size of a
rotated rectangle too: its width is a share of the image's width even where it stands upright.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.document.types import Box, Point, Polygon

#: Below this, in degrees, a line counts as level: an annotator would rather adjust an upright rectangle.
LEVEL_DEGREES = 1.0
#: Regions are never thinner than this, in pixels, so that they can still be seen and selected.
SMALLEST_SIDE = 1.0
_DIGITS = 6
_ELLIPSE_POINTS = 24


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle that may be rotated, in pixels.

    Attributes:
        x: Left edge of the corner where reading starts.
        y: Top edge of that corner.
        width: Length along the reading direction, above 0.
        height: Length across it, above 0.
        rotation: Degrees clockwise about that corner, in ``[0, 360)``.

    Raises:
        ValueError: If a side is not above 0, or anything is not finite.
    """

    x: float
    y: float
    width: float
    height: float
    rotation: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.x, self.y, self.width, self.height, self.rotation)
        if not all(map(math.isfinite, numbers)) or self.width <= 0 or self.height <= 0:
            raise ValueError("a frame needs finite numbers and sides above 0")

    @property
    def polygon(self) -> Polygon:
        """The four corners, clockwise from the one where reading starts."""
        along, across = directions(self.rotation)
        right = (self.x + along[0] * self.width, self.y + along[1] * self.width)
        below = (across[0] * self.height, across[1] * self.height)
        return (
            (self.x, self.y),
            right,
            (right[0] + below[0], right[1] + below[1]),
            (self.x + below[0], self.y + below[1]),
        )

    @staticmethod
    def of_box(box: Box) -> Frame:
        """Return ``box`` as a frame without rotation."""
        return Frame(box.x0, box.y0, box.width, box.height)


def directions(rotation: float) -> tuple[Point, Point]:
    """Return the unit vectors along and across the reading direction of ``rotation`` degrees."""
    quarter, rest = divmod(rotation % 360, 90)
    if rest == 0:  # exact, where sine and cosine are not
        cosine, sine = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
    else:
        cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    return (cosine, sine), (-sine, cosine)


def frame_of_polygon(polygon: Polygon) -> Frame:
    """Return the smallest frame around a line's outline, read from the outline's first corner.

    Within :data:`LEVEL_DEGREES` of a multiple of 90 the frame is set upright.

    Args:
        polygon: Three points or more, clockwise from the corner where reading starts.

    Raises:
        ValueError: If the polygon is flat.
    """
    edges = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(polygon, (*polygon[1:], polygon[0]), strict=True)]
    # The smallest rectangle around a convex outline shares a direction with one of its edges.
    angles = {round(math.degrees(math.atan2(dy, dx)) % 90, 9) for dx, dy in edges if dx or dy}
    frames = [_around(polygon, angle) for angle in sorted(angles)]
    if not frames:
        raise ValueError("a polygon without an extent has no frame")
    smallest = min(frames, key=lambda frame: frame.width * frame.height)
    rest = smallest.rotation % 90
    if rest < LEVEL_DEGREES or rest > 90 - LEVEL_DEGREES:
        smallest = _around(polygon, 0.0)
    return _read_from(smallest, polygon[0])


def part_of_frame(line: Frame, boxes: Sequence[Box]) -> Frame:
    """Return the part of a line that some of its words fill.

    The words' boxes are upright, so on a slanted line they are larger than the words and overlap. A word's middle is
    that of its box, and its length follows from the box, the line's height and the slant.

    Args:
        line: The whole line.
        boxes: The words, one or more.

    Raises:
        ValueError: If there are no words.
    """
    if line.rotation == 0:
        return Frame.of_box(Box.around(boxes))
    along, _ = directions(line.rotation)
    cosine, sine = abs(along[0]), abs(along[1])
    starts, stops = [], []
    for box in boxes:
        if cosine >= sine:
            length = (box.width - line.height * sine) / cosine
        else:
            length = (box.height - line.height * cosine) / sine
        # An engine's boxes are not exact: a word is at least a third of the line's height long.
        length = max(length, line.height / 3)
        middle = (box.center[0] - line.x) * along[0] + (box.center[1] - line.y) * along[1]
        starts.append(middle - length / 2)
        stops.append(middle + length / 2)
    start = min(max(min(starts), 0.0), line.width - SMALLEST_SIDE)
    stop = max(min(max(stops), line.width), start + SMALLEST_SIDE)
    corner = (line.x + along[0] * start, line.y + along[1] * start)
    return Frame(*corner, stop - start, line.height, line.rotation)


def clip_frame(frame: Frame, width: int, height: int) -> Frame:
    """Return an upright frame cut to the page; a rotated one as it is, since cutting would change its shape."""
    if frame.rotation != 0:
        return frame
    x0, x1 = _clip_side(frame.x, frame.x + frame.width, width)
    y0, y1 = _clip_side(frame.y, frame.y + frame.height, height)
    return Frame(x0, y0, x1 - x0, y1 - y0)


def clip_polygon(polygon: Polygon, width: int, height: int) -> Polygon:
    """Return the polygon with every point moved onto the page."""
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in polygon)


def frame_to_percent(frame: Frame, width: int, height: int) -> dict[str, float]:
    """Return a frame as the ``value`` of a rectangle: ``x``, ``y``, ``width``, ``height`` in per cent, ``rotation``."""
    return {
        "x": _percent(frame.x, width),
        "y": _percent(frame.y, height),
        "width": _percent(frame.width, width),
        "height": _percent(frame.height, height),
        "rotation": round(frame.rotation, _DIGITS) % 360,
    }


def frame_from_percent(x: float, y: float, w: float, h: float, rotation: float, width: int, height: int) -> Frame:
    """Return the frame of a rectangle's ``value`` on an image of ``width`` × ``height`` pixels.

    A side below 0 was drawn backwards: it leads to the corner where reading starts.

    Raises:
        ValueError: If a side is 0, or anything is not finite.
    """
    corner, along, across = (x * width / 100, y * height / 100), w * width / 100, h * height / 100
    right, down = directions(rotation)
    back = min(along, 0.0), min(across, 0.0)
    if back != (0.0, 0.0):
        corner = (
            corner[0] + right[0] * back[0] + down[0] * back[1],
            corner[1] + right[1] * back[0] + down[1] * back[1],
        )
    return Frame(*corner, abs(along), abs(across), rotation % 360)


def corners_from_percent(x: float, y: float, w: float, h: float, rotation: float, width: int, height: int) -> Polygon:
    """Return the corners of a rectangle's ``value``, which may lie on a line or be one point."""
    right, down = directions(rotation)
    corner, along, across = (x * width / 100, y * height / 100), w * width / 100, h * height / 100
    return tuple(
        (
            corner[0] + right[0] * along * i + down[0] * across * j,
            corner[1] + right[1] * along * i + down[1] * across * j,
        )
        for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))
    )


def ellipse_from_percent(
    x: float, y: float, across: float, down: float, rotation: float, width: int, height: int
) -> Polygon:
    """Return the outline of an ellipse's ``value``, of equal area, clockwise from the upper left before rotation.

    Args:
        x: The middle, per cent of the width.
        y: The middle, per cent of the height.
        across: Half its length, per cent of the width, above 0.
        down: Half its height, per cent of the height, above 0.
        rotation: Degrees clockwise about its middle.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """
    middle, a, b = (x * width / 100, y * height / 100), across * width / 100, down * height / 100
    right, below = directions(rotation)
    step = 2 * math.pi / _ELLIPSE_POINTS
    # A polygon in it is smaller by sin(step) / step.
    grow = math.sqrt(step / math.sin(step))
    points = []
    for index in range(_ELLIPSE_POINTS):
        angle = 1.25 * math.pi + (index - 0.5) * step
        u, v = grow * a * math.cos(angle), grow * b * math.sin(angle)
        points.append((middle[0] + right[0] * u + below[0] * v, middle[1] + right[1] * u + below[1] * v))
    return tuple(points)


def polygon_to_percent(polygon: Polygon, width: int, height: int) -> list[list[float]]:
    """Return a polygon as the ``points`` of a polygon's ``value``, in per cent."""
    return [[_percent(x, width), _percent(y, height)] for x, y in polygon]


def polygon_from_percent(points: Sequence[Sequence[float]], width: int, height: int) -> Polygon:
    """Return the polygon of ``points`` in per cent on an image of ``width`` × ``height`` pixels."""
    return tuple((x * width / 100, y * height / 100) for x, y in points)


def polygon_area(polygon: Polygon) -> float:
    """Return the area inside a polygon in square pixels (the shoelace formula)."""
    pairs = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def _percent(pixels: float, side: int) -> float:
    return round(pixels * 100 / side, _DIGITS)


def _clip_side(start: float, stop: float, side: int) -> tuple[float, float]:
    start = min(max(start, 0.0), max(side - SMALLEST_SIDE, 0.0))
    return start, min(max(stop, start + min(SMALLEST_SIDE, side)), float(side))


def _around(polygon: Polygon, rotation: float) -> Frame:
    """Return the smallest frame of a given rotation around ``polygon``; flat ones get :data:`SMALLEST_SIDE`."""
    along, across = directions(rotation)
    us = [x * along[0] + y * along[1] for x, y in polygon]
    vs = [x * across[0] + y * across[1] for x, y in polygon]
    u, v = min(us), min(vs)
    return Frame(
        u * along[0] + v * across[0],
        u * along[1] + v * across[1],
        max(max(us) - u, SMALLEST_SIDE),
        max(max(vs) - v, SMALLEST_SIDE),
        rotation,
    )


def _read_from(frame: Frame, start: Point) -> Frame:
    """Return the same rectangle with the corner nearest to ``start`` as its first."""
    corners = frame.polygon
    first = min(range(4), key=lambda index: math.dist(corners[index], start))
    sides = (frame.width, frame.height) if first % 2 == 0 else (frame.height, frame.width)
    return Frame(*corners[first], *sides, (frame.rotation + 90 * first) % 360)
