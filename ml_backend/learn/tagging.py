"""Annotated regions to what models learn from: a BIO tag a word, and transcripts of lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from shapely import MultiPoint, Point, STRtree, area, covers, intersection
from shapely.geometry.base import BaseGeometry

from ml_backend.errors import BackendError
from ml_backend.label_studio import geometry
from ml_backend.label_studio.outlines import shape_of
from ml_backend.label_studio.regions import Region, Skipped
from model.document.bio import CONTINUOUS, OUTSIDE
from model.document.layout import TALL_RATIO, read_from
from model.document.types import Line, Page, Polygon, Word
from model.extraction.segmentation import segment

#: A word whose middle lies outside a region still belongs to it from this share of its area on.
LEAST_COVER = 0.5
#: A word of two regions belongs to the one with a label unless the other covers more of it by this share: people draw
#: over the pre-labels of lines without a field.
_LABELLED = 0.25
#: A region that cannot be used hides the words that it covers by this share, or whose middle it covers.
_HIDDEN = 0.2
#: By how much the shapes of two images may differ that are taken for one in two sizes.
_ASPECT = 0.02
# Shares that differ by less are equal: then the smaller region has it.
_DIGITS = 2


class PageMismatchError(BackendError):
    """Regions that were drawn on another image than the page that was read."""

    status = 422


@dataclass(frozen=True, slots=True)
class TaggedPage:
    """A page with one BIO tag per word.

    Attributes:
        page: The words as the extractor sees them, segmented, without those of which nobody knows what they are.
        tags: One for each of ``page.words``.
        ignored: How many words were left out.
    """

    page: Page
    tags: tuple[str, ...]
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class LineSample:
    """What a person says that stands in a part of the page: one line of print.

    Attributes:
        polygon: Where, in pixels of the upright page, clockwise from the corner where reading starts.
        text: What it says.
    """

    polygon: Polygon
    text: str


def fit_to_page(regions: Iterable[Region], page: Page) -> list[Region]:
    """Return regions with outlines in pixels of ``page``, which may be the image in another size.

    Raises:
        PageMismatchError: If a region was drawn on an image of another shape.
    """
    fitted = []
    for region in regions:
        x, y = page.width / region.original_width, page.height / region.original_height
        if abs(x / y - 1) > _ASPECT:
            raise PageMismatchError(
                f"It was drawn on an image of {region.original_width} × {region.original_height} pixels, "
                f"but the image has {page.width} × {page.height} now."
            )
        outline = tuple((px * x, py * y) for px, py in region.polygon)
        fitted.append(replace(region, polygon=outline, original_width=page.width, original_height=page.height))
    return fitted


def tag_page(
    page: Page, regions: Sequence[Region], names: Mapping[str, str | None], skipped: Sequence[Skipped] = ()
) -> TaggedPage:
    """Give each word of a page the field of the region that covers most of it.

    A word belongs to a region that its middle lies in, or that covers half of it; where several do, to the one that
    covers most, and of equal ones to the smallest. Each line, each field and each region begins a value again, except
    for fields whose values go on from region to region (:data:`model.document.bio.CONTINUOUS`). Words of no
    region, or of one without label, are outside.

    Where a person has marked words and nobody can tell as what, they are neither of a field nor outside, and are left
    out: those below regions that cannot be used, and those of labels that the project does not have. Where such a
    region is unknown too, only words of fields are left.

    Args:
        page: What the engine read, not segmented yet.
        regions: On this page, in its pixels (:func:`fit_to_page`).
        names: Field by label; ``None`` for a label that stands for no field.
        skipped: The regions on this page that cannot be used.
    """
    segmented = segment(page)
    shapes = np.array([shape_of(region.polygon) for region in regions], dtype=object)
    labelled = np.array([region.label is not None for region in regions], dtype=bool)
    tree = STRtree(shapes)
    hidden = _Hidden(segmented, skipped)
    tags: list[str] = []
    lines: list[Line] = []
    for line in segmented.lines:
        before: tuple[str, str] | None = None
        left: list[Word] = []
        for word in line.words:
            outline = _outline(word, line)
            owner = _owner(outline, shapes, tree, labelled)
            region = regions[owner] if owner is not None else None
            field = names.get(region.label) if region is not None and region.label is not None else None
            if region is None or field is None:
                before = None
                if hidden.has(outline, line) or (region is not None and region.label not in (None, *names)):
                    continue
                tags.append(OUTSIDE)
                left.append(word)
                continue
            goes_on = before is not None and before[0] == field and (before[1] == region.id or field in CONTINUOUS)
            tags.append(f"{'I' if goes_on else 'B'}-{field}")
            left.append(word)
            before = (field, region.id)
        if len(left) == len(line.words):
            lines.append(line)
        elif left:
            lines.append(replace(line, text=" ".join(word.text for word in left), words=tuple(left)))
    ignored = len(segmented.words) - len(tags)
    return TaggedPage(replace(segmented, lines=tuple(lines)) if ignored else segmented, tuple(tags), ignored)


class _Hidden:
    """Tells which words lie below regions that cannot be used.

    Args:
        page: The page.
        skipped: The regions.
    """

    def __init__(self, page: Page, skipped: Sequence[Skipped]) -> None:
        found = [_area_on(region, page) for region in skipped if not region.is_elsewhere]
        known = [hiding for hiding in found if hiding is not None]
        self._all = len(known) < len(found)
        self._areas = np.array([hiding for hiding in known if hiding.geom_type != "Point"], dtype=object)
        self._tree = STRtree(self._areas)
        # A dot says which line is meant, and not where the value ends.
        dots = [hiding for hiding in known if hiding.geom_type == "Point"]
        lines = STRtree([shape_of(line.polygon) for line in page.lines])
        self._lines = {id(page.lines[at]) for at in lines.nearest(dots)} if dots and page.lines else set()

    def has(self, word: BaseGeometry, line: Line) -> bool:
        if self._all or id(line) in self._lines:
            return True
        near = self._areas[self._tree.query(word, predicate="intersects")]
        if not len(near):
            return False
        shares = area(intersection(near, word))
        flat = area(near) == 0
        return bool((flat | covers(near, word.centroid) | ((shares > 0) & (shares >= _HIDDEN * word.area))).any())


def _area_on(region: Skipped, page: Page) -> BaseGeometry | None:
    """Return where a region that cannot be used lies on a page; ``None`` where nobody knows."""
    if region.area is None or not region.width or not region.height:
        return None
    x, y = page.width / region.width, page.height / region.height
    if abs(x / y - 1) > _ASPECT:
        return None
    shape: BaseGeometry = MultiPoint([(px * x, py * y) for px, py in region.area]).convex_hull
    return shape


def line_samples(page: Page, regions: Sequence[Region]) -> tuple[LineSample, ...]:
    """Return what people say that stands in single lines of print.

    A person who submits an annotation has confirmed its texts or corrected them. Regions over several lines are
    left out, since their text does not say where one ends, and those without text.

    Args:
        page: What the engine read.
        regions: On this page, in its pixels.
    """
    shapes = np.array([shape_of(line.polygon) for line in page.lines], dtype=object)
    tree = STRtree(shapes)
    samples = []
    for region in regions:
        text = " ".join((region.text or "").split())
        if not text or "\n" in (region.text or "").strip():
            continue
        shape = shape_of(region.polygon)
        near = shapes[tree.query(shape)]
        shared = area(intersection(near, shape))
        touched = (shared > 0) & (shared >= LEAST_COVER * np.minimum(area(near), area(shape)))
        if touched.sum() > 1:
            continue
        line = page.lines[int(tree.query(shape)[touched][0])] if touched.any() else None
        outline = _as_read(region, line, page)
        if outline is not None:
            samples.append(LineSample(outline, text))
    return tuple(samples)


def _as_read(region: Region, line: Line | None, page: Page) -> Polygon | None:
    """Return a region's outline from where its text is read: people draw along the image, however the text runs.

    Args:
        region: What was drawn.
        line: The line that was read there, None where nothing was.
        page: All that was read.

    Returns:
        None where nothing tells the direction of a strip.
    """
    if line is not None:
        return read_from(region.polygon, line.polygon)
    if region.rotation:
        return region.polygon
    outline = read_from(region.polygon, page.direction)
    sides = [math.dist(outline[i], outline[(i + 1) % len(outline)]) for i in range(len(outline))]
    stands = len(outline) == 4 and max(sides[1], sides[3]) >= TALL_RATIO * max(sides[0], sides[2])
    return None if stands else outline


def _owner(word: BaseGeometry, shapes: NDArray[np.object_], tree: STRtree, labelled: NDArray[np.bool_]) -> int | None:
    """Return the index of the shape that a word belongs to, ``None`` where there is none."""
    middle: Point = word.centroid
    near = tree.query(word)
    if not len(near) or word.area == 0:
        return None
    shares = area(intersection(shapes[near], word)) / word.area
    claims = (shares >= LEAST_COVER) | ((shares > 0) & covers(shapes[near], middle))
    weights = shares + _LABELLED * labelled[near]
    ranked = zip(-weights[claims].round(_DIGITS), area(shapes[near][claims]), near[claims], strict=True)
    return min(((share, size, int(index)) for share, size, index in ranked), default=(0, 0, None))[2]


def _outline(word: Word, line: Line) -> BaseGeometry:
    """Return where a word stands: its box, or its part of a slanted line, of which the box shows too much."""
    frame = geometry.frame_of_polygon(line.polygon)
    return shape_of(geometry.part_of_frame(frame, [word.box]).polygon)
