"""Label Studio's results to typed regions: what a person, or another model, has drawn on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_backend.label_studio import geometry
from ml_backend.label_studio.brush import painted_box
from ml_backend.label_studio.label_config import LabelConfig, PageId, Target
from model.document.types import Polygon

_SHAPES = frozenset({"rectangle", "rectanglelabels", "polygon", "polygonlabels"})
#: Shapes without the outline of a text. An ellipse has one: the people who draw it circle what they mean.
_OTHER_SHAPES = ("brush", "keypoint", "bitmask", "vector", "magicwand", "video")
_ELLIPSE = "ellipse"
#: No coordinate and no side of an image is beyond this; products of two stay finite.
_LARGEST = 1e9
#: A task of a hundred dense pages has fewer; each region is one to three entries of a result.
MAX_REGIONS = 10_000
MAX_PARTS = 50_000
#: An outline of more points was drawn by no hand.
MAX_OUTLINE_POINTS = 10_000
MAX_POINTS = 500_000
_LONGEST_KIND = 40
_LONGEST_NUMBER = 40


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
    """A region that cannot be used, and why.

    A person has said something about the words below it, and nobody knows what: that they belong to no field is not
    known either.

    Attributes:
        id: What its results share.
        reason: Why.
        page: The image that it is on; ``None`` where that is not known.
        area: Where it is, in pixels of an image of ``width`` × ``height``; one point or more, which may lie on a line.
            ``None`` where that is not known.
        width: Width of the image in pixels; 0 without an area.
        height: Height of the image in pixels; 0 without an area.
        needs_size: Whether it could be used if the size of its image were known.
        is_elsewhere: Whether it is about something else than the task's images.
    """

    id: str
    reason: str
    page: PageId | None = field(default=None, compare=False)
    area: Polygon | None = field(default=None, compare=False)
    width: int = field(default=0, compare=False)
    height: int = field(default=0, compare=False)
    needs_size: bool = field(default=False, compare=False)
    is_elsewhere: bool = field(default=False, compare=False)


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
    """Why a region cannot be used.

    Attributes:
        area: Where it is, in pixels; ``None`` where that is not known.
        needs_size: Whether only the size of its image is missing.
        is_elsewhere: Whether it is on something else than an image.
    """

    def __init__(
        self, reason: str, area: Polygon | None = None, *, needs_size: bool = False, is_elsewhere: bool = False
    ) -> None:
        super().__init__(reason)
        self.area = area
        self.needs_size = needs_size
        self.is_elsewhere = is_elsewhere


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
        return (
            "points" in self.value
            or {"x", "y", "width", "height"} <= self.value.keys()
            or {"x", "y", "radiusX", "radiusY"} <= self.value.keys()
        )

    @property
    def draws(self) -> bool:
        """Whether its control draws, or names what is drawn."""
        return self.kind in _SHAPES or self.kind.startswith((_ELLIPSE, *_OTHER_SHAPES)) or self.kind == "labels"


Sizes = Mapping[PageId, tuple[int, int]]
"""Width and height in pixels of the images whose sizes are known."""


def from_result(result: Iterable[Mapping[str, Any]], config: LabelConfig, sizes: Sizes | None = None) -> list[Region]:
    """Return the usable regions of an annotation's or a prediction's ``result``; see :func:`read_result`."""
    return list(read_result(result, config, sizes).regions)


def read_result(result: Iterable[Mapping[str, Any]], config: LabelConfig, sizes: Sizes | None = None) -> ReadResult:
    """Group the parts of a ``result`` into regions.

    The parts may stand in any order, and any of them may be missing: people delete labels and texts. Rotating the image
    in Label Studio (``image_rotation``) turns the view only: coordinates stay those of the image as it was.
    Relations and answers about the whole image are no regions, and are passed over.

    Other programs leave numbers as text, rectangles that were drawn backwards, and no size of the image: then it is
    that of other regions on the same image, else what ``sizes`` says.

    Args:
        result: The list that Label Studio stores; nothing in it is trusted.
        config: The project's labelling configuration.
        sizes: Sizes of the images as they are known from elsewhere.

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
    reader = _Reader(config, dict(sizes or {}) | _sizes_in(groups.values(), config))
    regions, skipped = [], []
    for region_id, parts in groups.items():
        read = reader.read(region_id, parts)
        if isinstance(read, Region):
            regions.append(read)
        elif read is not None:
            skipped.append(read)
    return ReadResult(tuple(regions), tuple(skipped))


def sizes_of(regions: Iterable[Region]) -> dict[PageId, tuple[int, int]]:
    """Return the sizes of the images that regions are on."""
    return {region.page: (region.original_width, region.original_height) for region in regions}


def _sizes_in(groups: Iterable[Sequence[_Part]], config: LabelConfig) -> dict[PageId, tuple[int, int]]:
    """Return the sizes of the images as a result's own parts say them; of several the first."""
    sizes: dict[PageId, tuple[int, int]] = {}
    for parts in groups:
        for part in parts:
            width, height = _side(part.raw, "original_width"), _side(part.raw, "original_height")
            if width and height and (page := _page(part, config)) is not None:
                sizes.setdefault(page, (width, height))
    return sizes


def _page(part: _Part, config: LabelConfig) -> PageId | None:
    """Return the image that a part is on; ``None`` where the configuration has none of that name."""
    target = config.target(part.image)
    if target is None:
        return None
    return PageId(target.image, int(_finite(part.raw.get("item_index")) or 0) if target.index is None else target.index)


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


class _Reader:
    """Puts regions together.

    Args:
        config: The project's labelling configuration.
        sizes: What is known of the images' sizes.
    """

    def __init__(self, config: LabelConfig, sizes: Sizes) -> None:
        self._config = config
        self._sizes = sizes

    def read(self, region_id: str, parts: Sequence[_Part]) -> Region | Skipped | None:
        """Put one region together; ``None`` where the parts are about the whole image."""
        drawing = [part for part in parts if part.draws]
        # The part that draws knows the geometry best; the others repeat it, and may stand alone.
        outlined = sorted((part for part in parts if part.has_outline), key=lambda part: not part.draws)
        if not drawing and not outlined:
            return None
        part = (outlined or drawing)[0]
        page = _page(part, self._config)
        width, height = self._size(part, page)
        try:
            return self._region(region_id, parts, part, page, width, height)
        except _UnusableError as error:
            return Skipped(
                region_id,
                str(error),
                page,
                error.area,
                width if error.area else 0,
                height if error.area else 0,
                error.needs_size,
                error.is_elsewhere,
            )

    def _region(
        self, region_id: str, parts: Sequence[_Part], drawn: _Part, page: PageId | None, width: int, height: int
    ) -> Region:
        """Put one region together.

        Raises:
            _UnusableError: If it cannot be used.
        """
        raw = drawn.raw
        target = self._config.target(drawn.image)
        if target is None or page is None:
            elsewhere = self._config.has_object(drawn.image)
            raise _UnusableError("it is on an object that holds no text regions", is_elsewhere=elsewhere)
        kinds = [part.kind for part in parts]
        other = next((kind for kind in kinds if kind.startswith(_OTHER_SHAPES)), None)
        if other is not None:
            area = _area_of_other(parts, width, height)
            raise _UnusableError(f"a region of type {other[:_LONGEST_KIND]} has no text outline", area)
        if not drawn.has_outline:
            raise _UnusableError("it has no outline")
        if not width or not height:
            missing = "original_width" if _side(raw, "original_width") is None else "original_height"
            raise _UnusableError(
                f"{missing} is missing: per cents mean nothing without the image's size", needs_size=True
            )
        polygon, rotation = _outline(drawn.value, width, height)
        label = _label(parts, target)
        return Region(
            id=region_id,
            image=page.image,
            polygon=polygon,
            rotation=rotation,
            label=label,
            text=_text(parts, target, label),
            original_width=width,
            original_height=height,
            item_index=page.item_index,
            score=next((score for part in parts if (score := _finite(part.raw.get("score"))) is not None), None),
            view_rotation=int(_finite(raw.get("image_rotation")) or 0) % 360,
        )

    def _size(self, part: _Part, page: PageId | None) -> tuple[int, int]:
        """Return width and height of the image that a part is on; 0 where nobody knows."""
        width, height = _side(part.raw, "original_width"), _side(part.raw, "original_height")
        if width and height:
            return width, height
        return self._sizes.get(page, (0, 0)) if page is not None else (0, 0)


def _outline(value: Mapping[str, Any], width: int, height: int) -> tuple[Polygon, float]:
    """Return outline and rotation of a shape's ``value``.

    Raises:
        _UnusableError: If it is not made of numbers, or has no extent.
    """
    if "points" in value:
        polygon = _points(value["points"], width, height)
        if len(polygon) < 3 or geometry.polygon_area(polygon) == 0:
            raise _UnusableError("it has no extent", polygon or None)
        return polygon, 0.0
    rotation = _number(value.get("rotation") or 0)
    if "radiusX" in value and "radiusY" in value:
        x, y, across, down = (_number(value[key]) for key in ("x", "y", "radiusX", "radiusY"))
        if not across or not down:
            raise _UnusableError("it has no extent", ((x * width / 100, y * height / 100),))
        return geometry.ellipse_from_percent(x, y, abs(across), abs(down), rotation, width, height), rotation % 360
    x, y, w, h = (_number(value[key]) for key in ("x", "y", "width", "height"))
    try:
        frame = geometry.frame_from_percent(x, y, w, h, rotation, width, height)
    except ValueError as error:
        area = geometry.corners_from_percent(x, y, w, h, rotation, width, height)
        raise _UnusableError("it has no extent", area) from error
    return frame.polygon, frame.rotation


def _points(points: object, width: int, height: int) -> Polygon:
    """Return a polygon's points in pixels.

    Raises:
        _UnusableError: If they are not pairs of numbers, or too many.
    """
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise _UnusableError("its points are not pairs of numbers")
    if len(points) > MAX_OUTLINE_POINTS:
        raise _UnusableError(f"its outline has more than {MAX_OUTLINE_POINTS} points")
    pairs = [(_number(point[0]), _number(point[1])) for point in points]
    return geometry.polygon_from_percent(pairs, width, height)


def _area_of_other(parts: Sequence[_Part], width: int, height: int) -> Polygon | None:
    """Return where a region without the outline of a text is; ``None`` where that is not known."""
    for part in parts:
        if part.kind.startswith("brush") and width and height:
            box = painted_box(part.value.get("rle"), width, height)
            if box is not None:
                return box.polygon()
        if part.kind.startswith("keypoint") and width and height:
            x, y = _finite(part.value.get("x")), _finite(part.value.get("y"))
            if x is not None and y is not None:
                return ((x * width / 100, y * height / 100),)
    return None


def _finite(value: object) -> float | None:
    """Return a number that can be calculated with, also one that is written as text; ``None`` for anything else."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LARGEST else None


def _number(value: object) -> float:
    number = _finite(value)
    if number is None:
        raise _UnusableError("its coordinates are not numbers")
    return number


def _side(raw: Mapping[str, Any], key: str) -> int | None:
    """Return a side of the image in pixels, ``None`` where it is not said."""
    side = _finite(raw.get(key))
    return None if side is None or side < 1 else int(side)


def _label(parts: Iterable[_Part], target: Target) -> str | None:
    """Return the first label; of several controls that of the one that comes first in the configuration."""
    places = {group.label: place for place, group in enumerate(target.groups)}
    found: list[tuple[int, str]] = []
    for part in parts:
        labels = part.value.get(part.kind) if part.kind.endswith("labels") else None
        if isinstance(labels, list) and (label := next((each for each in labels if isinstance(each, str)), None)):
            found.append((places.get(part.control, len(places)), label))
    return min(found, key=lambda item: item[0])[1] if found else None


def _text(parts: Iterable[_Part], target: Target, label: str | None) -> str | None:
    """Return the text of the control that holds it for the label, else of another one for texts of regions."""
    written = {
        part.control: text
        for part in parts
        if part.kind == "textarea" and (text := _lines(part.value.get("text"))) is not None
    }
    first = target.text_of(label)
    return next((written[name] for name in (first, *(text.name for text in target.texts)) if name in written), None)


def _lines(text: object) -> str | None:
    """Return a text, several submissions as lines."""
    if isinstance(text, str):
        return text
    if not isinstance(text, list) or not text:
        return None
    return "\n".join(str(line) for line in text)
