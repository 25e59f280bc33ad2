"""The typed view of a document: boxes, words, lines, pages, entities.

Coordinates are pixels of the *upright* page (after the image's EXIF orientation was applied), origin top left,
x to the right, y down, as floats. Everything is frozen: a stage takes one of these and returns a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import Words, say

Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in pixels of the upright page, origin top left.

    Raises:
        ValueError: If the box is empty, inverted or not finite.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        # The comparison is also false for NaN, so that no separate test is needed.
        infinite = float("inf")
        if not (-infinite < self.x0 < self.x1 < infinite and -infinite < self.y0 < self.y1 < infinite):
            raise ValueError(f"empty, inverted or infinite box: {self.x0}, {self.y0}, {self.x1}, {self.y1}")

    @property
    def width(self) -> float:
        """Width in pixels, above 0."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels, above 0."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Area in square pixels, above 0."""
        return self.width * self.height

    @property
    def center(self) -> Point:
        """The middle of the box."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def overlap(self, other: Box) -> float:
        """Return the area shared with ``other`` in square pixels, 0 where they do not meet."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return width * height if width > 0 and height > 0 else 0.0

    def iou(self, other: Box) -> float:
        """Return intersection over union with ``other``, in ``[0, 1]``."""
        shared = self.overlap(other)
        return shared / (self.area + other.area - shared)

    @staticmethod
    def around(boxes: Iterable[Box]) -> Box:
        """Return the smallest box that holds all ``boxes``.

        Raises:
            ValueError: If ``boxes`` is empty.
        """
        members = list(boxes)
        if not members:
            raise ValueError("no box to go around")
        return Box(
            min(b.x0 for b in members),
            min(b.y0 for b in members),
            max(b.x1 for b in members),
            max(b.y1 for b in members),
        )

    @staticmethod
    def of_polygon(polygon: Sequence[Point]) -> Box:
        """Return the smallest box that holds ``polygon``.

        Raises:
            ValueError: If the polygon is empty or flat.
        """
        if not polygon:
            raise ValueError("a polygon without points has no box")
        xs, ys = [p[0] for p in polygon], [p[1] for p in polygon]
        return Box(min(xs), min(ys), max(xs), max(ys))

    def polygon(self) -> Polygon:
        """Return the four corners, clockwise from the top left."""
        return (self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without white space, as the engine read it.

    Attributes:
        text: The characters, never empty.
        box: Where they stand.
        score: The engine's confidence, in ``[0, 1]``.
    """

    text: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Line:
    """One detected line of text.

    Attributes:
        text: The line as read, with its spaces.
        polygon: Its outline, four points or more, clockwise from the corner where reading starts.
        score: The engine's confidence, in ``[0, 1]``.
        words: Its words in reading order, never none; joined by spaces they give ``text``.
        margin: How far this text led the next best one, in ``[0, 1]``: near 0 where the line could well say something
            else (:func:`model.recognition.ambiguity.path_margin`). None where the engine could not tell, and on pages
            that were kept before it did.
        readable: False where the print seems to be of a script that the engine does not know: the text is what its
            letters look like, and names nothing.
    """

    text: str
    polygon: Polygon
    score: float
    words: tuple[Word, ...]
    margin: float | None = None
    readable: bool = True

    @property
    def box(self) -> Box:
        """The smallest upright box that holds the polygon."""
        return Box.of_polygon(self.polygon)


NoteKind = Literal["unknown_script", "too_small"]


@dataclass(frozen=True, slots=True)
class PageNote:
    """What a person should know of a reading besides its lines.

    Attributes:
        kind: ``unknown_script``: some lines are in a script that the engine does not know. ``too_small``: the image is
            so large that small print on it was not looked for.
        amount: How many lines; and the height, in pixels of the image, below which print was not looked for.
    """

    kind: NoteKind
    amount: int

    @property
    def sentence(self) -> Words:
        """The note for a person."""
        if self.kind == "unknown_script":
            return say(
                "Lines that cannot be read: {lines}. They are in a script that no model here knows, or hardly to be "
                "seen; they name no field.",
                lines=self.amount,
            )
        return say(
            "The image is too large to be looked at closely: print lower than {pixels} pixels was not looked for.",
            pixels=self.amount,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """What was read on one image.

    Attributes:
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        lines: In the order of reading; none where nothing was found.
        turn: Degrees by which the image has to be turned clockwise for its text to stand upright: 0, 90, 180 or 270.
            All coordinates are those of the image as it is.
        notes: What else is to be said of the reading.
    """

    width: int
    height: int
    lines: tuple[Line, ...]
    turn: int = 0
    notes: tuple[PageNote, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words of all lines, in reading order. Entities index into this."""
        return tuple(word for line in self.lines for word in line.words)

    def moved(self, x: float, y: float, *, width: int, height: int) -> Page:
        """Return the page as part of a larger one, with its origin at ``(x, y)`` there.

        Args:
            x: Pixels that everything moves to the right.
            y: Pixels that everything moves down.
            width: Width of the larger page in pixels.
            height: Height of the larger page in pixels.
        """
        return self._placed(width, height, lambda point: (point[0] + x, point[1] + y))

    @property
    def direction(self) -> Polygon:
        """The corners of the image in the order in which a line of its text is read: clockwise from its start."""
        corners = Box(0.0, 0.0, float(self.width), float(self.height)).polygon()
        first = (4 - self.turn // 90) % 4
        return (*corners[first:], *corners[:first])

    def upright(self) -> Page:
        """Return the page as if its image had been turned, so that its text stands upright; its order stays."""
        return replace(self.turned(self.turn), turn=0)

    def turned(self, degrees: int) -> Page:
        """Return the page as it lies on its image turned clockwise; what is to be done to make it upright follows.

        Args:
            degrees: A multiple of 90.
        """
        if not degrees % 360:
            return self
        sides = (self.height, self.width) if degrees % 180 else (self.width, self.height)
        placed = self._placed(*sides, _turning(degrees, self.width, self.height))
        return replace(placed, turn=(self.turn - degrees) % 360)

    def _placed(self, width: int, height: int, place: Callable[[Point], Point]) -> Page:
        lines = tuple(
            replace(
                line,
                polygon=tuple(place(point) for point in line.polygon),
                words=tuple(replace(word, box=_box_at(word.box, place)) for word in line.words),
            )
            for line in self.lines
        )
        return replace(self, width=width, height=height, lines=lines)

    def line_spans(self) -> tuple[tuple[int, int], ...]:
        """Return, for each line, the half-open range of its words within :attr:`words`."""
        spans, start = [], 0
        for line in self.lines:
            spans.append((start, start + len(line.words)))
            start += len(line.words)
        return tuple(spans)


def turned_box(box: Box, degrees: int, width: int, height: int) -> Box:
    """Return where a box lies once its image is turned clockwise.

    Args:
        box: On the image as it is.
        degrees: A multiple of 90.
        width: Width of the image as it is, in pixels.
        height: Its height in pixels.
    """
    return _box_at(box, _turning(degrees, width, height)) if degrees % 360 else box


def _turning(degrees: int, width: int, height: int) -> Callable[[Point], Point]:
    """Return what takes a point of an image to its place on the image turned clockwise by 90, 180 or 270 degrees."""
    ways: dict[int, Callable[[Point], Point]] = {
        90: lambda point: (height - point[1], point[0]),
        180: lambda point: (width - point[0], height - point[1]),
        270: lambda point: (point[1], width - point[0]),
    }
    return ways[degrees % 360]


def _box_at(box: Box, place: Callable[[Point], Point]) -> Box:
    return Box.of_polygon((place((box.x0, box.y0)), place((box.x1, box.y1))))


@dataclass(frozen=True, slots=True)
class Entity:
    """The value of one field: contiguous words inside one line.

    Attributes:
        field: Name of the field, such as ``EMAIL``.
        text: Its words, joined by spaces.
        box: The smallest box that holds them.
        score: Probability that these words are this field, in ``[0, 1]``.
        start: Index of the first word within ``page.words``.
        stop: Index after the last word.
    """

    field: str
    text: str
    box: Box
    score: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Doubts:
    """What the models are unsure of, each of shape ``(words,)`` and higher where a person is needed more.

    Attributes:
        least_confidence: ``1 - probability`` of the most probable tag, in ``[0, 1]``.
        margin: ``1 - (best - second best probability)``, in ``[0, 1]``.
        entropy: Of the tag's distribution, as a share of the largest possible, in ``[0, 1]``.
        disagreement: What a word would tell about the classifier's head, in nats, 0 or more: the entropy of the mean of
            passes with dropout less the mean of their entropies (BALD; Houlsby et al., 2011).
        patterns: How surely the classifier contradicts what patterns say of the word, in ``[0, 1]``.
        rivals: Pairs of fields that are hard to tell apart here, with the lesser one's probability at the worst word,
            in ``[0.2, 0.5]``; the worst pair first. An empty name stands for no field.
    """

    least_confidence: NDArray[np.float32]
    margin: NDArray[np.float32]
    entropy: NDArray[np.float32]
    disagreement: NDArray[np.float32]
    patterns: NDArray[np.float32]
    rivals: tuple[tuple[str, str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A page, what it says, and where each came from.

    Attributes:
        page: The words and lines.
        entities: In reading order, never overlapping; a word of no entity belongs to no field.
        score: How sure the models are of the whole, in ``[0, 1]``: low where a person is needed most.
        engine_version: Which OCR engine and models read the page.
        model_version: Which model version named the fields.
        embedding: Shape ``(hidden,)``: documents of one kind are near one another; ``None`` where no model made it. Two
            documents that differ in it alone are equal.
        doubts: What the extractor is unsure of, a number a word; ``None`` where no model said. It does not make
            documents different either.
    """

    page: Page
    entities: tuple[Entity, ...]
    score: float
    engine_version: str
    model_version: str
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    doubts: Doubts | None = field(default=None, compare=False, repr=False)


def score_of_pages(pages: Iterable[Document]) -> float:
    """Return the score of the least certain of a document's pages; empty ones count only if all are. 0 without any."""
    known = list(pages)
    return min((page.score for page in [page for page in known if page.page.words] or known), default=0.0)
