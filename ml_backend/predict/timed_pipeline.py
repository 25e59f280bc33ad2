"""The pipeline with a stop-watch, so that ``model`` need not know of Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from ml_backend.observability.metrics import Metrics
from model.document.images import RgbImage
from model.document.types import Document, Page
from model.extraction.extractor import Extractor
from model.ocr import OcrEngine, Reading
from model.ocr.incremental_reread import Step
from model.pipeline import PageCache, Pipeline


class MeasuredEngine:
    """An OCR engine whose readings are timed as the stage ``ocr``; pages out of the cache do not count."""

    def __init__(self, engine: OcrEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    @property
    def version(self) -> str:
        """The engine's own version: measuring changes no reading."""
        return self._engine.version

    def read(self, image: RgbImage) -> Page:
        """Find and read all lines of a page; see :class:`model.ocr.OcrEngine`."""
        with self._metrics.stage("ocr"):
            return self._engine.read(image)

    def reread(self, image: RgbImage, page: Page, indexes: Sequence[int]) -> Page:
        """Read some lines of a page again; see :class:`model.ocr.OcrEngine`."""
        with self._metrics.stage("ocr_again"):
            return self._engine.reread(image, page, indexes)

    def upright(self, crop: RgbImage) -> RgbImage:
        """Turn the crop of a line upright; see :class:`model.ocr.OcrEngine`."""
        with self._metrics.stage("ocr_crops"):
            return self._engine.upright(crop)

    def recognise(self, crops: Sequence[RgbImage]) -> list[Reading]:
        """Read crops of one line each; see :class:`model.ocr.OcrEngine`."""
        with self._metrics.stage("ocr_crops"):
            return self._engine.recognise(crops)


class MeasuredPipeline(Pipeline):
    """A pipeline whose naming of fields is timed as the stage ``classifier``."""

    def __init__(
        self,
        engine: OcrEngine,
        extractor: Extractor,
        metrics: Metrics,
        *,
        max_image_bytes: int,
        max_image_pixels: int,
        cache: PageCache | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        limits = {"max_image_bytes": max_image_bytes, "max_image_pixels": max_image_pixels}
        super().__init__(engine, extractor, **limits, cache=cache, steps=steps)
        self._metrics = metrics

    def extract(self, page: Page, image: RgbImage | None = None) -> Document:
        """Name the fields of a page; see :meth:`model.pipeline.Pipeline.extract`."""
        with self._metrics.stage("classifier"):
            return super().extract(page, image)
