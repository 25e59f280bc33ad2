"""Which model files an engine uses, and what they hold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnxruntime
import yaml

from model.errors import EngineError

WHEEL_DETECTOR = "PP-OCRv6_det_small.onnx"
WHEEL_RECOGNISER = "PP-OCRv6_rec_small.onnx"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One model: its ONNX file and, where there is one, PaddleOCR's description of it (``inference.yml``)."""

    onnx: Path
    description: Path | None

    def describe(self) -> dict[str, Any] | None:
        """Return the content of the description, or None where there is none.

        Raises:
            EngineError: If the file is not the description of a model.
        """
        if self.description is None:
            return None
        try:
            content = yaml.load(self.description.read_text("utf-8"), Loader=yaml.CSafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise EngineError(f"{self.description} cannot be read: {type(error).__name__}.") from error
        if not isinstance(content, dict) or "Global" not in content:
            raise EngineError(f"{self.description} does not describe a PaddleOCR model: it has no section Global.")
        return content

    def metadata(self) -> dict[str, str]:
        """Return what the ONNX file says about itself.

        Raises:
            EngineError: If it is no model.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # nothing is computed
        try:
            session = onnxruntime.InferenceSession(str(self.onnx), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # onnxruntime has one exception class for each of its error codes, and exports none of them.
            raise EngineError(f"{self.onnx} is no ONNX model that can be loaded; copy it anew.") from error
        return dict(session.get_modelmeta().custom_metadata_map)

    def charset(self) -> list[str]:
        """Return the recogniser's alphabet, without blank and space, in the order of its outputs.

        Raises:
            EngineError: If neither the ONNX file nor the description holds it.
        """
        characters = self.metadata().get("character")
        if characters:
            return list(characters.splitlines())
        description = self.describe() or {}
        listed = description.get("PostProcess", {}).get("character_dict")
        if not listed:
            raise EngineError(
                f"The alphabet of {self.onnx} is unknown: put PaddleOCR's inference.yml beside it, "
                "or the alphabet into its metadata key «character»."
            )
        return [str(character) for character in listed]


@dataclass(frozen=True, slots=True)
class ModelPair:
    """The two models of an engine."""

    detector: ModelFiles
    recogniser: ModelFiles

    def check(self) -> None:
        """Make sure that both models can be loaded: the libraries' own messages rarely name the file.

        Raises:
            EngineError: If one cannot, naming it.
        """
        for files in (self.detector, self.recogniser):
            files.metadata()

    def digest(self) -> str:
        """Return eight hexadecimal digits that change with either model."""
        hashes = hashlib.sha256()
        for files in (self.detector, self.recogniser):
            for path in (files.onnx, files.description):
                hashes.update(path.read_bytes() if path else b"-")
        return hashes.hexdigest()[:8]


def find_models(models_dir: Path | None) -> ModelPair | None:
    """Find the models to use.

    Args:
        models_dir: A folder with ``det/inference.onnx`` and ``rec/inference.onnx``, each with PaddleOCR's
            ``inference.yml`` beside it or, for the recogniser, the alphabet in the ONNX metadata. Where one of the two
            folders is absent, the model of the rapidocr wheel takes its place, so that a recogniser trained anew needs
            no copy of the detector.

    Returns:
        The models, or None if ``models_dir`` is None and the rapidocr wheel brings none: then the library is to take
        its own.

    Raises:
        EngineError: If ``models_dir`` lacks what is needed.
    """
    if models_dir is None:
        detector, recogniser = _wheel_file(WHEEL_DETECTOR), _wheel_file(WHEEL_RECOGNISER)
        return ModelPair(detector, recogniser) if detector and recogniser else None
    if not (models_dir / "det").is_dir() and not (models_dir / "rec").is_dir():
        raise EngineError(
            f"{models_dir} holds no OCR models: it needs det/inference.onnx, rec/inference.onnx, or both "
            "(OCR_MODELS_DIR). Leave the setting empty for the models that ship."
        )
    return ModelPair(_folder_file(models_dir, "det", WHEEL_DETECTOR), _folder_file(models_dir, "rec", WHEEL_RECOGNISER))


def package_version(package: str) -> str:
    """Return the version of an installed package."""
    return version(package)


def _wheel_file(name: str) -> ModelFiles | None:
    # Only the location is asked for: importing rapidocr takes a second, and PaddleOCR does not need its code.
    spec = find_spec("rapidocr")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "models" / name
        if path.is_file():
            return ModelFiles(path, None)
    return None


def _folder_file(models_dir: Path, part: str, wheel_name: str) -> ModelFiles:
    folder = models_dir / part
    if not folder.is_dir():
        found = _wheel_file(wheel_name)
        if found is None:
            raise EngineError(
                f"{folder} is missing, and the rapidocr package brings no {wheel_name}: install rapidocr."
            )
        return found
    onnx, description = folder / "inference.onnx", folder / "inference.yml"
    if not onnx.is_file():
        raise EngineError(f"{onnx} is missing: export the model to ONNX there, or remove the folder {folder}.")
    return ModelFiles(onnx, description if description.is_file() else None)
