"""RapidOCR's detector and recogniser on ONNX Runtime: few dependencies, quick to import."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from model.document.images import RgbImage
from model.document.types import Polygon
from model.errors import EngineError
from model.ocr.characters import character_centres
from model.ocr.engine import CROP_SHAPE, TwoStageEngine
from model.ocr.files import HeadChoice, engine_version, find_models, with_head
from model.ocr.lines_at_once import LinesAtOnce
from model.ocr.margins import Margins
from model.ocr.recognised import Recognised
from model.ocr.scale import LONG_SIDE


def build_rapid(models_dir: Path | None, threads: int, head: HeadChoice) -> TwoStageEngine:
    """Build the RapidOCR engine; see :func:`model.ocr.build_engine`."""
    from rapidocr import RapidOCR  # takes a second, so only where the engine is wanted

    settings: dict[str, Any] = {
        "Global.log_level": "error",
        "Global.use_cls": False,
        # The page comes scaled, and stays as it is.
        "Det.limit_type": "max",
        "Det.limit_side_len": 2 * LONG_SIDE,
        "Rec.rec_batch_num": 1,
        "Rec.rec_img_shape": list(CROP_SHAPE),
    }
    if threads:
        settings["EngineConfig.onnxruntime.intra_op_num_threads"] = threads
    models = find_models(models_dir)
    digest = "own"
    try:
        with tempfile.TemporaryDirectory(prefix="rapidocr-") as folder:
            if models is not None:
                models = with_head(models, models_dir, head)
                models.check()
                digest = models.digest()
                recogniser = models.recogniser.grafted(Path(folder) / "grafted")
                alphabet = Path(folder) / "alphabet.txt"
                alphabet.write_text("\n".join(recogniser.charset()) + "\n", "utf-8")
                settings |= {
                    "Det.model_path": str(models.detector.onnx),
                    "Rec.model_path": str(recogniser.onnx),
                    # Only looked at where the ONNX file does not carry its alphabet.
                    "Rec.rec_keys_path": str(alphabet),
                }
            reader = RapidOCR(params=settings)
            # It opens its models at the first image, so this is where a broken one shows.
            sample = np.full((64, 320, 3), 255, np.uint8)
            reader(sample, use_det=True, use_rec=False)
            # Taken over by each model as it is opened.
            reader.cfg.EngineConfig.onnxruntime.intra_op_num_threads = 1
            reader(sample, use_det=False, use_rec=True)
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"RapidOCR cannot be started: {error}") from error
    version = engine_version("rapidocr", digest)
    lines = LinesAtOnce(_LineReader(reader.text_rec).read, threads)
    return TwoStageEngine(version, _Detector(reader.text_det), lines)


class _Detector:
    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def detect(self, image: RgbImage) -> list[Polygon]:
        result = self._detector(_bgr(image))
        return [tuple((float(x), float(y)) for x, y in quad) for quad in (() if result.boxes is None else result.boxes)]


class _LineReader:
    """Reads one line at a time; nothing of a line is kept, so that several threads may use it."""

    def __init__(self, recogniser: Any) -> None:
        from rapidocr.ch_ppocr_rec import TextRecInput

        self._input = TextRecInput
        self._recogniser = recogniser
        self._margins = Margins.before(recogniser, "postprocess_op", lambda given: given)

    def read(self, crop: RgbImage) -> Recognised:
        result = self._recogniser(self._input(img=[_bgr(crop)], return_word_box=True))
        (text,), (score,), (places,) = result.txts, result.scores, result.word_results
        centres = character_centres(places.words, places.word_cols, places.line_txt_len)
        (margin,) = self._margins.taken(1)
        return Recognised(text, float(score), centres, margin)


def _bgr(image: RgbImage) -> RgbImage:
    return np.ascontiguousarray(image[:, :, ::-1])
