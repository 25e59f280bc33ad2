"""Label Studio's results to typed regions: what a person, or another model, has drawn on the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.label_studio import geometry
from ml_backend.label_studio.label_config import LabelConfig, Target
from model.document import Polygon

_SHAPES = frozenset({"rectangle", "rectanglelabels", "polygon", "polygonlabels"})
_LABELS = frozenset({"labels", "rectanglelabels", "polygonlabels"})
_OTHER_SHAPES = ("ellipse", "brush", "keypoint", "bitmask", "vector", "video")


@dataclass(frozen=True, slots=True)
class Region:
    """One region on an image, with what was said about it.

    Attributes:
        id: What its results share.
        image: Name of the ``Image`` tag.
        polygon: Its outline in pixels of the original image, clockwise from the corner where reading starts.
        rotation: Degrees clockwise, in ``[0, 360)``; 0 for polygons, whose points say it themselves.
        label: Its label, ``None`` where it has none.
        text: Its text, ``None`` where none was given, which is not the same as an empty one.
        original_width: Width of the image in pixels.
        original_height: Height of the image in pixels.
        item_index: Which of the images, where the task has a list of them.
        score: How sure the model was; ``None`` where a person drew it.
    """

    id: str
    image: str
    polygon: Polygon
    rotation: float
    label: str | None
    text: str | None
    original_width: int
    original_height: int
    item_index: int = 0
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A region that cannot be used, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a result holds.

    Attributes:
        regions: In the order in which they first appear.
        skipped: What could not be used.
    """

    regions: tuple[Region, ...]
    skipped: tuple[Skipped, ...]


class _UnusableError(Exception):
    """Why a region cannot be used."""


def from_result(result: Iterable[Mapping[str, Any]], config: LabelConfig) -> list[Region]:
    """Return the usable regions of an annotation's or a prediction's ``result``; see :func:`read_result`."""
    return list(read_result(result, config).regions)


def read_result(result: Iterable[Mapping[str, Any]], config: LabelConfig) -> ReadResult:
    """Group the parts of a ``result`` into regions.

    The parts may stand in any order, and any of them may be missing: people delete labels and texts. Rotating the image
    in Label Studio (``image_rotation``) turns the view only: coordinates stay those of the image as it was.
    Relations and answers about the whole image are no regions, and are passed over.

    Args:
        result: The list that Label Studio stores; nothing in it is trusted.
        config: The project's labelling configuration.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for index, part in enumerate(result):
        if isinstance(part, Mapping) and part.get("type") != "relation":
            groups.setdefault(str(part.get("id") or f"part-{index}"), []).append(part)
    regions, skipped = [], []
    for region_id, parts in groups.items():
        try:
            region = _region(region_id, parts, config)
        except _UnusableError as error:
            skipped.append(Skipped(region_id, str(error)))
        else:
            regions += [region] if region is not None else []
    return ReadResult(tuple(regions), tuple(skipped))


def _region(region_id: str, parts: Sequence[Mapping[str, Any]], config: LabelConfig) -> Region | None:
    """Put one region together; ``None`` where the parts are about the whole image.

    Raises:
        _UnusableError: If there is a region, but not one that can be used.
    """
    for part in parts:
        kind = str(part.get("type", ""))
        if kind.startswith(_OTHER_SHAPES):
            raise _UnusableError(f"a region of type {kind} has no text outline")
    # The part that draws knows the geometry best; the others repeat it, and may stand alone.
    drawn = sorted((part for part in parts if _has_outline(part)), key=lambda part: part.get("type") not in _SHAPES)
    if not drawn:
        return None
    target = config.target(str(drawn[0].get("to_name", "")))
    if target is None:
        raise _UnusableError("it is on an object that holds no text regions")
    part = drawn[0]
    width, height = _side(part, "original_width"), _side(part, "original_height")
    polygon, rotation = _outline(part["value"], width, height)
    index = part.get("item_index")
    return Region(
        id=region_id,
        image=target.image,
        polygon=polygon,
        rotation=rotation,
        label=next(filter(None, map(_label, parts)), None),
        text=next((text for text in (_text(part, target) for part in parts) if text is not None), None),
        original_width=width,
        original_height=height,
        item_index=index if isinstance(index, int) else 0,
        score=_score(parts),
    )


def _has_outline(part: Mapping[str, Any]) -> bool:
    value = part.get("value")
    return isinstance(value, Mapping) and ("points" in value or {"x", "y", "width", "height"} <= value.keys())


def _outline(value: Mapping[str, Any], width: int, height: int) -> tuple[Polygon, float]:
    """Return outline and rotation of a shape's ``value``.

    Raises:
        _UnusableError: If it is not made of numbers, or has no extent.
    """
    if "points" in value:
        points = value["points"]
        if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
            raise _UnusableError("its points are not pairs of numbers")
        pairs = [(_number(point[0]), _number(point[1])) for point in points]
        polygon = geometry.polygon_from_percent(pairs, width, height)
        if len(polygon) < 3 or geometry.polygon_area(polygon) == 0:
            raise _UnusableError("it has no extent")
        return polygon, 0.0
    x, y, w, h = (_number(value[key]) for key in ("x", "y", "width", "height"))
    rotation = _number(value.get("rotation") or 0)
    if w <= 0 or h <= 0:
        raise _UnusableError("it has no extent")
    frame = geometry.frame_from_percent(x, y, w, h, rotation, width, height)
    return frame.polygon, frame.rotation


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _UnusableError("its coordinates are not numbers")
    return float(value)


def _side(part: Mapping[str, Any], key: str) -> int:
    value = part.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < 1e6:
        raise _UnusableError(f"{key} is missing: per cents mean nothing without the image's size")
    return int(value)


def _label(part: Mapping[str, Any]) -> str | None:
    kind, value = part.get("type"), part.get("value")
    if kind not in _LABELS or not isinstance(value, Mapping):
        return None
    labels = value.get(kind)
    return next((label for label in labels if isinstance(label, str)), None) if isinstance(labels, list) else None


def _text(part: Mapping[str, Any], target: Target) -> str | None:
    """Return the text of the control that holds it, several submissions as lines."""
    value = part.get("value")
    if part.get("type") != "textarea" or part.get("from_name") != target.text or not isinstance(value, Mapping):
        return None
    text = value.get("text")
    if isinstance(text, str):
        return text
    if not isinstance(text, list) or not text:
        return None
    return "\n".join(str(line) for line in text)


def _score(parts: Iterable[Mapping[str, Any]]) -> float | None:
    scores = (part.get("score") for part in parts)
    return next((float(score) for score in scores if isinstance(score, (int, float))), None)
