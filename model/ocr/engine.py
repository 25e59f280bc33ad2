"""What every OCR engine offers, and the reading of a page from a detector and a recogniser."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from model.document.images import RgbImage, crop
from model.document.layout import in_reading_order
from model.document.types import Line, Page, Polygon
from model.errors import EngineError
from model.ocr.directions import read_lines, upright
from model.ocr.recognised import Recognised
from model.ocr.tiles import find_lines
from model.ocr.unknown_scripts import LONG, heights_long, marked, unread_lines
from model.ocr.words import place_words, split_line
from model.recognition.scripts import is_latin, settled

CROP_SHAPE = (3, 48, 160)
"""Channels, height and least width to which a crop is scaled and padded. The libraries' own least width of 320 takes
twice the time for a short line and reads it no better."""

BLANK_CONTRAST = 16
"""A crop whose brightest and darkest pixels differ by less than this holds no text, in grey levels of 255."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands on a crop.

    Attributes:
        text: Empty for a blank crop.
        score: The engine's confidence, in ``[0, 1]``.
        margin: As :class:`model.document.types.Line` has it; None for a blank crop, and where the engine cannot tell.
    """

    text: str
    score: float
    margin: float | None = None


class OcrEngine(Protocol):
    """Reads pages and crops. Instances may be shared between threads.

    Attributes:
        version: Names the engine, its package version and its model files; the same version reads the same.
    """

    @property
    def version(self) -> str: ...  # noqa: D102 - described with the class

    def read(self, image: RgbImage) -> Page:
        """Find and read all lines of a page.

        Raises:
            EngineError: If the engine fails on this image.
        """
        ...

    def reread(self, image: RgbImage, page: Page, indexes: Sequence[int]) -> Page:
        """Read some lines of a page again where they were found, without looking for lines.

        Args:
            image: The page's image.
            page: As it was read before, with another recogniser.
            indexes: Which of its lines to read again; the others stay as they are.

        Returns:
            The page, without the lines on which nothing is read any more.

        Raises:
            EngineError: If the engine fails on this image.
        """
        ...

    def upright(self, crop: RgbImage) -> RgbImage:
        """Turn the crop of one line, which may lie in any of four directions, so that its text stands upright.

        Raises:
            EngineError: If the engine fails on this crop.
        """
        ...

    def recognise(self, crops: Sequence[RgbImage]) -> list[Reading]:
        """Read crops of one line each, without looking for lines.

        Returns:
            One reading a crop, in the same order; a blank crop gives an empty text with score 0.

        Raises:
            EngineError: If the engine fails on these crops.
        """
        ...


class Detector(Protocol):
    """Finds lines of text."""

    def detect(self, image: RgbImage) -> list[Polygon]:
        """Return the outline of each line: four corners, clockwise from the top left, in pixels of ``image``.

        Args:
            image: To be looked at as it is, without another scaling.
        """
        ...


class Recogniser(Protocol):
    """Reads crops of one line each; threads may share it."""

    def recognise(self, crops: Sequence[RgbImage]) -> list[Recognised]:
        """Return one result a crop, in the same order."""
        ...


class TwoStageEngine:
    """An engine made of a detector and a recogniser.

    The libraries' detectors keep state between a call's steps, so that lines are found on one image at a time, under a
    lock; the lines of other images are read beside it.
    """

    def __init__(self, version: str, detector: Detector, recogniser: Recogniser) -> None:
        self.version = version
        self._detector = detector
        self._recogniser = recogniser
        self._detecting = threading.Lock()

    def share_detector(self, other: TwoStageEngine) -> None:
        """Take another engine's detector in place of an equal one of its own, and take turns with it.

        Engines that differ in their recogniser alone so hold one detector in memory. Only before the first reading.
        """
        self._detector, self._detecting = other._detector, other._detecting

    def read(self, image: RgbImage) -> Page:
        """Find and read all lines of a page; see :class:`OcrEngine`."""
        height, width = image.shape[:2]
        if is_blank(image):
            return Page(width, height, ())
        with _as_engine_errors():
            outlines, notes = find_lines(self._detect, image)
            chosen, turn = read_lines(self._recogniser.recognise, image, outlines)
        latin = is_latin(each.result.text for each in chosen)
        found = [_line(each.outline, each.crop, each.result, latin) for each in chosen]
        unread = sum(
            line is None and heights_long(each.outline) >= LONG for each, line in zip(chosen, found, strict=True)
        )
        page = marked(Page(width, height, tuple(line for line in found if line is not None), turn, notes), unread)
        # Which line is above another shows on the upright page.
        standing = page.upright()
        return replace(standing, lines=in_reading_order(standing.lines), turn=0).turned(-turn)

    def reread(self, image: RgbImage, page: Page, indexes: Sequence[int]) -> Page:
        """Read some lines of a page again; see :class:`OcrEngine`."""
        if not indexes:
            return page
        with _as_engine_errors():
            crops = [crop(image, page.lines[index].polygon) for index in indexes]
            results = self._recogniser.recognise(crops)
        again = set(indexes)
        kept = (line.text for index, line in enumerate(page.lines) if index not in again)
        latin = is_latin((*kept, *(result.text for result in results)))
        lines: list[Line | None] = list(page.lines)
        for index, piece, result in zip(indexes, crops, results, strict=True):
            lines[index] = _line(page.lines[index].polygon, piece, result, latin)
        # What stays in its place stays in the order of reading.
        return marked(replace(page, lines=tuple(line for line in lines if line is not None)), unread_lines(page))

    def upright(self, crop: RgbImage) -> RgbImage:
        """Turn the crop of a line so that its text stands upright; see :class:`OcrEngine`."""
        if is_blank(crop):
            return crop
        with _as_engine_errors():
            return upright(self._recogniser.recognise, crop)

    def recognise(self, crops: Sequence[RgbImage]) -> list[Reading]:
        """Read crops of one line each; see :class:`OcrEngine`."""
        readings = [Reading("", 0.0)] * len(crops)
        printed = [index for index, image in enumerate(crops) if not is_blank(image)]
        if printed:
            with _as_engine_errors():
                results = self._recogniser.recognise([crops[index] for index in printed])
            for index, result in zip(printed, results, strict=True):
                spans = split_line(settled(result.text), result.centres, crops[index])
                text = " ".join(span.text for span in spans)
                readings[index] = Reading(text, result.score, result.margin) if text else readings[index]
        return readings

    def _detect(self, image: RgbImage) -> list[Polygon]:
        with self._detecting:
            return self._detector.detect(image)


def _line(outline: Polygon, crop: RgbImage, result: Recognised, latin: bool) -> Line | None:
    words = place_words(split_line(settled(result.text, latin=latin), result.centres, crop), outline, result.score)
    return Line(" ".join(word.text for word in words), outline, result.score, words, result.margin) if words else None


@contextmanager
def _as_engine_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The libraries raise whatever they please, onnxruntime classes of its own among it; the message may hold values
        # out of the image, so that only its kind is passed on.
        raise EngineError(f"The OCR engine failed on this image: {type(error).__name__}.") from error


def is_blank(image: RgbImage) -> bool:
    """Tell whether an image is empty or of one even colour, up to slight noise."""
    if image.size == 0:
        return True
    # The spread of each channel by itself: red print on green may be of the same brightness.
    spread = image.max(axis=(0, 1)).astype(np.int16) - image.min(axis=(0, 1))
    return bool(spread.max() < BLANK_CONTRAST)
