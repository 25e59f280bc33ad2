"""PaddleOCR's detector and recogniser on ONNX Runtime: no paddlepaddle is needed."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from model.document.images import RgbImage
from model.document.types import Polygon
from model.errors import EngineError
from model.ocr.characters import character_centres
from model.ocr.engine import BATCH_SIZE, CROP_SHAPE, TwoStageEngine
from model.ocr.files import HeadChoice, ModelFiles, engine_version, find_models, with_head
from model.ocr.margins import Margins
from model.ocr.recognised import Recognised
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
    if threads:
        runtime["intra_op_num_threads"] = threads
    common = {"engine": "onnxruntime", "engine_config": runtime, "device": "cpu"}
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
                model_name=detector_model.name, model_dir=detector_model.folder, **DETECTION, **common
            )
            recogniser = paddleocr.TextRecognition(
                model_name=recogniser_model.name, model_dir=recogniser_model.folder, **common
            )
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"PaddleOCR cannot be started: {error}") from error
    version = engine_version("paddleocr", digest)
    return TwoStageEngine(version, _Detector(detector), _Recogniser(recogniser))


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


class _Recogniser:
    def __init__(self, recognition: Any) -> None:
        self._recognition = recognition
        predictor = getattr(recognition, "paddlex_predictor", None)
        self._margins = Margins.before(predictor, "post_op", lambda given: given[0])

    def recognise(self, crops: Sequence[RgbImage]) -> list[Recognised]:
        # A batch is padded to its widest crop, so crops of like shape go together. The library also relies on this
        # order: it tells the length of a line in a batch by its rank.
        order = sorted(range(len(crops)), key=lambda index: crops[index].shape[1] / crops[index].shape[0])
        results = list(
            self._recognition.predict(
                [_bgr(crops[index]) for index in order], batch_size=BATCH_SIZE, return_word_box=True
            )
        )
        found: dict[int, Recognised] = {}
        for index, result, margin in zip(order, results, self._margins.taken(len(results)), strict=True):
            text, (length, groups, columns, _) = result["rec_text"]
            centres = character_centres(groups, columns, length)
            found[index] = Recognised(text, float(result["rec_score"]), centres, margin)
        return [found[index] for index in range(len(crops))]


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
