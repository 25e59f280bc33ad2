"""Label Studio's results to typed regions: what a person, or another model, has drawn on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.label_studio import geometry
from ml_backend.label_studio.label_config import LabelConfig, PageId, Target
from model.document.types import Polygon

_SHAPES = frozenset({"rectangle", "rectanglelabels", "polygon", "polygonlabels"})
_LABELS = frozenset({"labels", "rectanglelabels", "polygonlabels"})
_OTHER_SHAPES = ("ellipse", "brush", "keypoint", "bitmask", "vector", "video")
#: No coordinate and no side of an image is beyond this; products of two stay finite.
_LARGEST = 1e9
#: A task of a hundred dense pages has fewer; each region is one to three entries of a result.
MAX_REGIONS = 10_000
MAX_PARTS = 50_000
#: An outline of more points was drawn by no hand.
MAX_OUTLINE_POINTS = 10_000
MAX_POINTS = 500_000
_LONGEST_KIND = 40


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
        view_rotation: How far the annotator had turned the image, clockwise in degrees: text that was upright to them
            reads in the direction of minus that. The outline is that of the image as it was.
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
    view_rotation: int = 0

    @property
    def page(self) -> PageId:
        """Which of the task's images it is on."""
        return PageId(self.image, self.item_index)


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


#: Why a result of more regions is not used.
TOO_MANY = f"It has more than {MAX_REGIONS} regions, or more than {MAX_POINTS} points."


class _UnusableError(Exception):
    """Why a region cannot be used."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One entry of a result: what one control says about a region."""

    id: str
    kind: str
    control: str
    image: str
    value: Mapping[str, Any]
    raw: Mapping[str, Any]

    @property
    def has_outline(self) -> bool:
        return "points" in self.value or {"x", "y", "width", "height"} <= self.value.keys()


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

    Returns:
        No region at all, and :data:`TOO_MANY` as the reason, beyond :data:`MAX_REGIONS`, :data:`MAX_PARTS` or
        :data:`MAX_POINTS`.
    """
    groups: dict[str, list[_Part]] = {}
    points = 0
    for index, raw in enumerate(result):
        part = _part(index, raw)
        if part is not None:
            groups.setdefault(part.id, []).append(part)
            drawn = part.value.get("points")
            points += len(drawn) if isinstance(drawn, list) else 0
        if index >= MAX_PARTS or len(groups) > MAX_REGIONS or points > MAX_POINTS:
            return ReadResult((), (Skipped("", TOO_MANY),))
    regions, skipped = [], []
    for region_id, parts in groups.items():
        try:
            region = _region(region_id, parts, config)
        except _UnusableError as error:
            skipped.append(Skipped(region_id, str(error)))
        else:
            regions += [region] if region is not None else []
    return ReadResult(tuple(regions), tuple(skipped))


def _part(index: int, raw: object) -> _Part | None:
    """Read one entry; ``None`` for what belongs to no region."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("type"), str) or raw["type"] == "relation":
        return None
    value = raw.get("value")
    return _Part(
        id=str(raw.get("id") or f"part-{index}"),
        kind=raw["type"],
        control=str(raw.get("from_name")),
        image=str(raw.get("to_name")),
        value=value if isinstance(value, Mapping) else {},
        raw=raw,
    )


def _region(region_id: str, parts: Sequence[_Part], config: LabelConfig) -> Region | None:
    """Put one region together; ``None`` where the parts are about the whole image.

    Raises:
        _UnusableError: If there is a region, but not one that can be used.
    """
    other = next((part.kind for part in parts if part.kind.startswith(_OTHER_SHAPES)), None)
    if other is not None:
        raise _UnusableError(f"a region of type {other[:_LONGEST_KIND]} has no text outline")
    # The part that draws knows the geometry best; the others repeat it, and may stand alone.
    drawn = sorted((part for part in parts if part.has_outline), key=lambda part: part.kind not in _SHAPES)
    if not drawn:
        return None
    raw = drawn[0].raw
    target = config.target(drawn[0].image)
    if target is None:
        raise _UnusableError("it is on an object that holds no text regions")
    width, height = _side(raw, "original_width"), _side(raw, "original_height")
    polygon, rotation = _outline(drawn[0].value, width, height)
    return Region(
        id=region_id,
        image=target.image,
        polygon=polygon,
        rotation=rotation,
        label=next((label for part in parts if (label := _label(part))), None),
        text=next((text for part in parts if (text := _text(part, target)) is not None), None),
        original_width=width,
        original_height=height,
        item_index=int(_finite(raw.get("item_index")) or 0),
        score=next((score for part in parts if (score := _finite(part.raw.get("score"))) is not None), None),
        view_rotation=int(_finite(raw.get("image_rotation")) or 0) % 360,
    )


def _outline(value: Mapping[str, Any], width: int, height: int) -> tuple[Polygon, float]:
    """Return outline and rotation of a shape's ``value``.

    Raises:
        _UnusableError: If it is not made of numbers, or has no extent.
    """
    if "points" in value:
        points = value["points"]
        if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
            raise _UnusableError("its points are not pairs of numbers")
        if len(points) > MAX_OUTLINE_POINTS:
            raise _UnusableError(f"its outline has more than {MAX_OUTLINE_POINTS} points")
        pairs = [(_number(point[0]), _number(point[1])) for point in points]
        polygon = geometry.polygon_from_percent(pairs, width, height)
        if len(polygon) < 3 or geometry.polygon_area(polygon) == 0:
            raise _UnusableError("it has no extent")
        return polygon, 0.0
    x, y, w, h = (_number(value[key]) for key in ("x", "y", "width", "height"))
    rotation = _number(value.get("rotation") or 0)
    try:
        frame = geometry.frame_from_percent(x, y, w, h, rotation, width, height)
    except ValueError as error:
        raise _UnusableError("it has no extent") from error
    return frame.polygon, frame.rotation


def _finite(value: object) -> float | None:
    """Return a number that can be calculated with, ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LARGEST else None


def _number(value: object) -> float:
    number = _finite(value)
    if number is None:
        raise _UnusableError("its coordinates are not numbers")
    return number


def _side(raw: Mapping[str, Any], key: str) -> int:
    side = _finite(raw.get(key))
    if side is None or side < 1:
        raise _UnusableError(f"{key} is missing: per cents mean nothing without the image's size")
    return int(side)


def _label(part: _Part) -> str | None:
    labels = part.value.get(part.kind) if part.kind in _LABELS else None
    return next((label for label in labels if isinstance(label, str)), None) if isinstance(labels, list) else None


def _text(part: _Part, target: Target) -> str | None:
    """Return the text of the control that holds it, several submissions as lines."""
    text = part.value.get("text") if part.kind == "textarea" and part.control == target.text else None
    if isinstance(text, str):
        return text
    if not isinstance(text, list) or not text:
        return None
    return "\n".join(str(line) for line in text)
