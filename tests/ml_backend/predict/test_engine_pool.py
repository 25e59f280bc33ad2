"""Versions with the same recogniser share an engine, all engines one detector, and none outlives its versions."""

import gc
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from ml_backend.observability.metrics import Metrics
from ml_backend.predict.engine_pool import Engines
from model.document.types import Page
from model.errors import EngineError
from model.ocr import OcrEngine
from model.ocr.engine import TwoStageEngine
from model.ocr.recognised import Recognised
from tests.conftest import print_card


class Spelling:
    """A recogniser that always reads the same."""

    def __init__(self, text: str) -> None:
        self._text = text

    def recognise(self, crops):
        return [Recognised(self._text, 0.9, ()) for _ in crops]


class Looking:
    """A detector that counts the pages it was shown."""

    def __init__(self) -> None:
        self.shown = 0

    def detect(self, image):
        self.shown += 1
        return [((20.0, 20.0), (200.0, 20.0), (200.0, 60.0), (20.0, 60.0))]


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    def build(recogniser: Path | None) -> OcrEngine:
        text = recogniser.read_text() if recogniser else "shipped"
        return TwoStageEngine(f"engine-{text}", Looking(), Spelling(text))

    return Engines(build, Metrics(CollectorRegistry()))


def head(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def read(engine: OcrEngine) -> Page:
    return engine.read(np.asarray(print_card(["anything"])))


def test_each_recogniser_reads_in_its_own_engine_with_the_detector_of_all(engines: Engines, tmp_path: Path) -> None:
    shipped, own = engines.of(None), engines.of(head(tmp_path, "a", "own"))
    assert [page.lines[0].text for page in (read(shipped), read(own))] == ["shipped", "own"]
    assert shipped.version != own.version
    assert own._engine._detector is shipped._engine._detector
    assert own._engine._detecting is shipped._engine._detecting


def test_the_same_head_in_another_folder_is_not_loaded_twice(engines: Engines, tmp_path: Path) -> None:
    first = engines.of(head(tmp_path, "a", "own"))
    assert engines.of(head(tmp_path, "b", "own")) is first
    assert engines.of(head(tmp_path, "c", "another")) is not first


def test_an_engine_goes_with_the_last_version_that_reads_with_it(engines: Engines, tmp_path: Path) -> None:
    path = head(tmp_path, "a", "own")
    engine = engines.of(path)
    del engine
    gc.collect()
    assert len(engines._engines) == 0
    assert engines.of(path).version == "engine-own"


def test_a_head_that_is_gone_is_told(engines: Engines, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        engines.of(tmp_path / "missing")
