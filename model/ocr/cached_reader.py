"""Reads image files, keeps what was read, and reads no more of a page again than a new recogniser could change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from model.document.images import RgbImage, image_key, load_image
from model.document.types import Page
from model.ocr.engine import OcrEngine
from model.ocr.incremental_reread import Step, differ_in_models_alone


class PageCache(Protocol):
    """Keeps what an engine read, by the image's content and the engine's version."""

    def get(self, image_key: str, engine_version: str) -> Page | None:
        """Return the page that was kept, or None."""

    def put(self, image_key: str, engine_version: str, page: Page) -> None:
        """Keep ``page``; what was kept for the same image and version is replaced."""


class PageReading:
    """An engine with its memory.

    Args:
        engine: Reads lines and words.
        max_image_bytes: Largest image file that is taken.
        max_image_pixels: Largest image that is taken.
        cache: Keeps readings; None reads every time.
        steps: What earlier recognisers would have read alike, nearest first; those of other releases do not count.
    """

    def __init__(
        self,
        engine: OcrEngine,
        *,
        max_image_bytes: int,
        max_image_pixels: int,
        cache: PageCache | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        self.engine = engine
        self._limits = (max_image_bytes, max_image_pixels)
        self._cache = cache
        # What an earlier release has read is read again: it may have found other lines, or the page upside down.
        self._steps = tuple(step for step in steps if differ_in_models_alone(step.engine_version, engine.version))

    def decode(self, data: bytes) -> RgbImage:
        """Return the upright image in an image file.

        Raises:
            ImageError: If it is broken, too large, or of an unknown format.
        """
        max_bytes, max_pixels = self._limits
        return load_image(data, max_bytes=max_bytes, max_pixels=max_pixels)

    def kept(self, key: str) -> Page | None:
        """Return the page of an image without looking at the image.

        That of an earlier recogniser is taken where this one could read none of its lines otherwise.

        Args:
            key: The image's :func:`model.document.images.image_key`.

        Returns:
            None where the image is needed.
        """
        if self._cache is None:
            return None
        page = self._cache.get(key, self.engine.version)
        if page is not None:
            return page
        for step in self._steps:
            page = self._cache.get(key, step.engine_version)
            if page is not None:
                if step.concerned(page):
                    return None
                self._cache.put(key, self.engine.version, page)
                return page
        return None

    def read(self, key: str, image: RgbImage) -> Page:
        """Return the page of an image that is not kept, and keep it.

        Where an earlier recogniser has read it, its outlines are taken, and only the lines that this one could read
        otherwise are read.

        Raises:
            EngineError: If the engine fails.
        """
        page = self._read_again(key, image) or self.engine.read(image)
        if self._cache is not None:
            self._cache.put(key, self.engine.version, page)
        return page

    def read_file(self, data: bytes) -> Page:
        """Return the page of an image file, kept or not.

        Raises:
            ImageError: If the image is broken, too large, or of an unknown format.
            EngineError: If the engine fails.
        """
        key = image_key(data)
        return self.kept(key) or self.read(key, self.decode(data))

    def _read_again(self, key: str, image: RgbImage) -> Page | None:
        for step in self._steps if self._cache is not None else ():
            page = self._cache.get(key, step.engine_version) if self._cache is not None else None
            if page is not None and (page.width, page.height) == (image.shape[1], image.shape[0]):
                return self.engine.reread(image, page, step.concerned(page))
        return None
