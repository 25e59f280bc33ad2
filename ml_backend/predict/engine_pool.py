"""The engines of a process: one for each recogniser that serves, with one detector among them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from ml_backend.observability.metrics import Metrics
from ml_backend.predict.timed_pipeline import MeasuredEngine
from ml_backend.settings import Settings
from model.errors import EngineError
from model.ocr import OcrEngine, build_engine
from model.ocr.engine import TwoStageEngine


class Engines:
    """Builds engines, and lends the same one to all versions with the same recogniser; threads may share it.

    An engine is let go of with the last version that reads with it.

    Args:
        build: Builds an engine around a head's file; ``None`` stands for the head that ships.
        metrics: Where the time of readings is counted.
    """

    def __init__(self, build: Callable[[Path | None], OcrEngine], metrics: Metrics) -> None:
        self._build = build
        self._metrics = metrics
        self._shipped = build(None)
        self._engines: WeakValueDictionary[str, MeasuredEngine] = WeakValueDictionary()
        self._building = threading.Lock()

    def of(self, recogniser: Path | None) -> MeasuredEngine:
        """Return the engine with a head, or with the one that ships.

        Raises:
            EngineError: If it cannot be built.
        """
        with self._building:
            key = _digest(recogniser)
            engine = self._engines.get(key)
            if engine is None:
                engine = MeasuredEngine(self._shipped if recogniser is None else self._built(recogniser), self._metrics)
                self._engines[key] = engine
            return engine

    def _built(self, recogniser: Path) -> OcrEngine:
        engine = self._build(recogniser)
        if isinstance(engine, TwoStageEngine) and isinstance(self._shipped, TwoStageEngine):
            engine.share_detector(self._shipped)
        return engine


def _digest(recogniser: Path | None) -> str:
    if recogniser is None:
        return ""
    try:
        return hashlib.sha256(recogniser.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"{recogniser} cannot be read: {error.strerror}.") from error


def build_engine_of(settings: Settings, recogniser: Path | None = None) -> OcrEngine:
    """Return the engine of the settings with a head of a model version's, or with the one that ships.

    Raises:
        EngineError: If models are missing or damaged, or the head belongs to another recogniser.
    """
    return build_engine(
        settings.ocr_engine,
        models_dir=settings.ocr_models_dir,
        threads=settings.inference_threads,
        recogniser=recogniser,
        languages=settings.languages,
    )
