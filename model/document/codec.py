"""Pages as compact JSON: for the cache of readings and for training sets."""

from __future__ import annotations

import json
from typing import Any

from model.document.types import Box, Line, Page, PageNote, Word
from model.errors import ModelError

# Raised when the shape of the JSON changes: older rows are then read again instead of wrongly.
FORMAT = 1


class PageCodecError(ModelError):
    """Stored text that is no page of the present format."""


def encode_page(page: Page) -> str:
    """Return ``page`` as JSON that :func:`decode_page` turns back into an equal page."""
    lines = [
        [
            line.text,
            float(line.score),
            [[float(x), float(y)] for x, y in line.polygon],
            [[word.text, float(word.score), *_corners(word.box)] for word in line.words],
            # Pages that were written before engines told it end here.
            *([] if line.margin is None and line.readable else [None if line.margin is None else float(line.margin)]),
            *([] if line.readable else [False]),
        ]
        for line in page.lines
    ]
    document: dict[str, Any] = {"format": FORMAT, "width": int(page.width), "height": int(page.height), "lines": lines}
    if page.turn:
        document["turn"] = page.turn
    if page.notes:
        document["notes"] = [[note.kind, note.amount] for note in page.notes]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode_page(text: str) -> Page:
    """Return the page that :func:`encode_page` wrote.

    Raises:
        PageCodecError: If the text is damaged or of another format.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise PageCodecError("the stored page is of another format")
        return Page(
            document["width"],
            document["height"],
            tuple(_line(*line) for line in document["lines"]),
            document.get("turn", 0),
            tuple(PageNote(kind, amount) for kind, amount in document.get("notes", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PageCodecError("the stored page is damaged") from error


def _line(
    text: str,
    score: float,
    polygon: list[list[float]],
    words: list[list[Any]],
    margin: float | None = None,
    readable: bool = True,
) -> Line:
    return Line(
        text,
        tuple((x, y) for x, y in polygon),
        score,
        tuple(Word(word, Box(*corners), confidence) for word, confidence, *corners in words),
        margin,
        readable,
    )


def _corners(box: Box) -> tuple[float, float, float, float]:
    return float(box.x0), float(box.y0), float(box.x1), float(box.y1)
