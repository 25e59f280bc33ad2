"""PaddleOCR's detector and recogniser on ONNX Runtime: no paddlepaddle is needed."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from model.document.images import RgbImage
from model.document.types import Polygon
from model.errors import EngineError
from model.ocr.characters import character_centres
from model.ocr.engine import CROP_SHAPE, TwoStageEngine
from model.ocr.files import HeadChoice, ModelFiles, engine_version, find_models, with_head
from model.ocr.lines_at_once import LinesAtOnce
from model.ocr.margins import Margins
from model.ocr.recognised import Recognised
from model.ocr.sessions import open_session
from model.recognition.graft import DESCRIPTION_FILE, write_description

DETECTOR_NAME = "PP-OCRv6_small_det"
RECOGNISER_NAME = "PP-OCRv6_small_rec"

# The values of PaddleOCR's own pipeline, but for the size: the page comes scaled, and stays as it is.
DETECTION = {"limit_side_len": 32, "limit_type": "min", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}


def build_paddle(models_dir: Path | None, threads: int, head: HeadChoice) -> TwoStageEngine:
    """Build the PaddleOCR engine; see :func:`model.ocr.build_engine`."""
    import paddleocr  # takes seconds, so only where the engine is wanted

    # paddlex announces every model it opens.
    logging.getLogger("paddlex").setLevel(logging.ERROR)
    # Pages and lines come in every size, and the arena keeps what each size once needed.
    runtime: dict[str, Any] = {"log_severity_level": 3, "enable_cpu_mem_arena": False}
    common = {"engine": "onnxruntime", "device": "cpu"}
    models = find_models(models_dir)
    try:
        # ONNX Runtime and paddlex read their files while they are built; the folder is not needed afterwards.
        with tempfile.TemporaryDirectory(prefix="paddleocr-") as folder:
            digest, detector_model, recogniser_model = "own", _Model(DETECTOR_NAME), _Model(RECOGNISER_NAME)
            if models is not None:
                models = with_head(models, models_dir, head)
                models.check()
                digest = models.digest()
                detector_model = _lay_out(Path(folder), models.detector, DETECTOR_NAME, _describe_detector)
                recogniser_model = _lay_out(
                    Path(folder),
                    models.recogniser.grafted(Path(folder) / "grafted"),
                    RECOGNISER_NAME,
                    _describe_recogniser,
                )
            detector = paddleocr.TextDetection(
                model_name=detector_model.name,
                model_dir=detector_model.folder,
                engine_config=runtime | ({"intra_op_num_threads": threads} if threads else {}),
                **DETECTION,
                **common,
            )
            if detector_model.folder is not None:
                # The library's settings have no name for what this session does otherwise.
                onnx = Path(detector_model.folder) / "inference.onnx"
                detector.paddlex_predictor.runner.session = open_session(onnx, threads, arena=False)
            recogniser = paddleocr.TextRecognition(
                model_name=recogniser_model.name,
                model_dir=recogniser_model.folder,
                engine_config=runtime | {"intra_op_num_threads": 1},
                **common,
            )
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"PaddleOCR cannot be started: {error}") from error
    version = engine_version("paddleocr", digest)
    lines = LinesAtOnce(_LineReader(recogniser.paddlex_predictor).read, threads)
    return TwoStageEngine(version, _Detector(detector), lines)


class _Model(NamedTuple):
    """A model as paddlex wants to hear of it; without a folder it takes its own copy, or downloads one."""

    name: str
    folder: str | None = None


class _Detector:
    def __init__(self, detection: Any) -> None:
        self._detection = detection

    def detect(self, image: RgbImage) -> list[Polygon]:
        (result,) = self._detection.predict(_bgr(image))
        return [tuple((float(x), float(y)) for x, y in quad) for quad in result["dt_polys"]]


class _LineReader:
    """Reads one line at a time; nothing of a line is kept, so that several threads may use it."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self._margins = Margins.before(predictor, "post_op", lambda given: given[0])

    def read(self, crop: RgbImage) -> Recognised:
        # Without the loop around it, which keeps state in the predictor.
        line = SimpleNamespace(instances=[_bgr(crop)], input_paths=[None], page_indexes=[None])
        result = self._predictor.process(line, return_word_box=True)
        ((text, (length, groups, columns, _)),), (score,) = result["rec_text"], result["rec_score"]
        (margin,) = self._margins.taken(1)
        return Recognised(text, float(score), character_centres(groups, columns, length), margin)


def _bgr(image: RgbImage) -> RgbImage:
    return np.ascontiguousarray(image[:, :, ::-1])


def _lay_out(
    folder: Path, files: ModelFiles, name: str, describe: Callable[[ModelFiles, str], dict[str, Any]]
) -> _Model:
    """Make the folder that paddlex expects of one model, unless the files already stand in one."""
    description = files.describe()
    if description is not None:
        return _Model(str(description["Global"].get("model_name", name)), str(files.onnx.parent))
    target = folder / name
    target.mkdir()
    (target / "inference.onnx").symlink_to(files.onnx.absolute())
    write_description(target / DESCRIPTION_FILE, describe(files, name))
    return _Model(name, str(target))


def _describe_detector(files: ModelFiles, name: str) -> dict[str, Any]:
    normalise = {"scale": "1./255.", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "order": "hwc"}
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"resize_long": 960}},
                {"NormalizeImage": normalise},
                {"ToCHWImage": None},
            ]
        },
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": DETECTION["thresh"],
            "box_thresh": DETECTION["box_thresh"],
            "unclip_ratio": DETECTION["unclip_ratio"],
            "max_candidates": 1000,
        },
    }


def _describe_recogniser(files: ModelFiles, name: str) -> dict[str, Any]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": list(CROP_SHAPE)}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": files.charset()},
    }
