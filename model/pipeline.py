"""An image file in, a document out: decode, read, segment, name the fields."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from model.document.images import RgbImage, image_key
from model.document.types import Box, Document, Page
from model.extraction.encoder import Runtime
from model.extraction.extraction import Extraction
from model.extraction.extractor import Extractor
from model.extraction.project_naming import ProjectNaming
from model.extraction.segmentation import segment
from model.ocr import OcrEngine, build_engine
from model.ocr.cached_reader import PageCache, PageReading
from model.ocr.incremental_reread import Step
from model.recognition.charset import DEFAULT_LANGUAGES
from model.recognition.head import FILE

__all__ = ["SHIPPED_WEIGHTS", "PageCache", "Pipeline", "build_pipeline"]

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "cards"


class Pipeline:
    """Reads an image and names its fields.

    Args:
        engine: Reads lines and words.
        extractor: Names the fields.
        max_image_bytes: Largest image file that is taken.
        max_image_pixels: Largest image that is taken.
        cache: Keeps readings, so that a new extractor needs no new reading; None reads every time.
        steps: What earlier recognisers would have read alike, so that a new one need not read all again.
    """

    def __init__(
        self,
        engine: OcrEngine,
        extractor: Extractor,
        *,
        max_image_bytes: int,
        max_image_pixels: int,
        cache: PageCache | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        self._engine = engine
        self._extractor = extractor
        self._naming: ProjectNaming | None = None
        self._pages = PageReading(
            engine, max_image_bytes=max_image_bytes, max_image_pixels=max_image_pixels, cache=cache, steps=steps
        )

    @property
    def version(self) -> str:
        """The model version as Label Studio sees it: it changes when the extractor or the engine does."""
        engine = hashlib.sha256(self._engine.version.encode()).hexdigest()[:6]
        return f"{self._extractor.version}.{engine}"

    @property
    def engine(self) -> OcrEngine:
        """What reads the pages."""
        return self._engine

    @property
    def engine_version(self) -> str:
        """Which OCR engine and models read the pages."""
        return self._engine.version

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the extractor knows."""
        return self._extractor.fields

    @property
    def extractor(self) -> Extractor:
        """What names the fields, before a project has its say."""
        return self._extractor

    def for_project(self, naming: ProjectNaming | None) -> Pipeline:
        """Return this pipeline with a project's own way to name fields; models, cache and version are the same."""
        own = copy.copy(self)
        own._naming = naming
        return own

    def decode(self, data: bytes) -> RgbImage:
        """Return the upright image in an image file.

        Raises:
            ImageError: If it is broken, too large, or of an unknown format.
        """
        return self._pages.decode(data)

    def kept(self, key: str) -> Page | None:
        """Return the page of an image that was read before, without its file; None where the file is needed."""
        return self._pages.kept(key)

    def read(self, data: bytes) -> Page:
        """Return the lines and words of an image file, from the cache where it holds them.

        Raises:
            ImageError: If the image is broken, too large, or of an unknown format.
            EngineError: If the engine fails.
        """
        return self._pages.read_file(data)

    def predict(self, data: bytes) -> Document:
        """Return what an image file says and which fields its words are.

        Raises:
            ImageError: If the image is broken, too large, or of an unknown format.
            EngineError: If the engine fails.
        """
        key = image_key(data)
        page, image = self._pages.kept(key), None
        if page is None or self._extractor.looks_at_images:
            image = self.decode(data)
        if page is None:
            assert image is not None
            page = self._pages.read(key, image)
        return self.extract(page, image)

    def revisit(self, key: str) -> Document | None:
        """Return what an image says that was read before, without its file.

        Args:
            key: The image's :func:`model.document.images.image_key`.

        Returns:
            None if its reading is not kept, or the extractor must see the image.
        """
        page = None if self._extractor.looks_at_images else self._pages.kept(key)
        return None if page is None else self.extract(page)

    def extract(self, page: Page, image: RgbImage | None = None) -> Document:
        """Name the fields of a page that was read before; the document's words are segmented."""
        segmented = segment(page)
        if image is not None and page.turn:
            image = np.ascontiguousarray(np.rot90(image, -(page.turn // 90)))
        extraction: Extraction = self._extractor.extract(segmented, image)
        if self._naming is not None:
            known = self._extractor
            extraction = self._naming.apply(segmented, extraction, known.tags, known.committee)
        unreadable = {
            index
            for line, (start, stop) in zip(segmented.lines, segmented.line_spans(), strict=True)
            if not line.readable
            for index in range(start, stop)
        }
        # Look-alikes of letters that nobody knows are no values, however much they look like a name.
        entities = tuple(
            value for value in extraction.entities if unreadable.isdisjoint(range(value.start, value.stop))
        )
        return Document(
            segmented,
            entities,
            extraction.score,
            self._engine.version,
            self.version,
            extraction.embedding,
            extraction.doubts,
        )

    def read_region(self, image: RgbImage, box: Box) -> Page:
        """Read only what lies in ``box``; coordinates are those of ``image``.

        Raises:
            EngineError: If the engine fails.
        """
        left, top = max(0, int(box.x0)), max(0, int(box.y0))
        region = image[top : max(top + 1, round(box.y1)), left : max(left + 1, round(box.x1))]
        return self._engine.read(region).moved(left, top, width=image.shape[1], height=image.shape[0])


def build_pipeline(
    *,
    engine: str,
    ocr_models_dir: Path | None,
    extractor_dir: Path | None,
    threads: int,
    max_image_bytes: int,
    max_image_pixels: int,
    cache: PageCache | None = None,
    languages: Sequence[str] = DEFAULT_LANGUAGES,
    runtime: Runtime = "onnx",
) -> Pipeline:
    """Load the models and return a pipeline over them; a model version's folder brings its own recogniser.

    ``runtime`` computes the extractor's answers (:meth:`model.extraction.extractor.Extractor.load`).

    Raises:
        EngineError: If the engine's models are missing or damaged.
        WeightsError: If the extractor's weights are missing or damaged.
    """
    folder = extractor_dir or SHIPPED_WEIGHTS
    own = folder / FILE
    recogniser = own if own.is_file() else None
    return Pipeline(
        build_engine(engine, models_dir=ocr_models_dir, threads=threads, recogniser=recogniser, languages=languages),
        Extractor.load(folder, threads=threads, runtime=runtime),
        max_image_bytes=max_image_bytes,
        max_image_pixels=max_image_pixels,
        cache=cache,
    )


def warm_up(pipeline: Pipeline) -> None:
    """Run every model once: the first run allocates and compiles, and the first annotator should not wait for it."""
    card = np.full((300, 525, 3), 255, dtype=np.uint8)
    for line, words in enumerate(("Ada Lovelace", "ada@example.com")):
        cv2.putText(card, words, (30, 90 + 90 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (0, 0, 0), 3)
    pipeline.extract(pipeline.engine.read(card), card)
