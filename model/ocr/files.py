"""Which model files an engine uses, and what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnxruntime
import yaml

from model.errors import EngineError, RecogniserError
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES
from model.recognition.graft import DESCRIPTION_FILE, graft
from model.recognition.head import Head
from model.recognition.shipped import head_for

WHEEL_DETECTOR = "PP-OCRv6_det_small.onnx"
WHEEL_RECOGNISER = "PP-OCRv6_rec_small.onnx"

READING = "r3"
"""Changed whenever the same models read pages otherwise: what was read before is then read again."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """One model.

    Attributes:
        onnx: Its ONNX file.
        description: PaddleOCR's description of it (``inference.yml``), where there is one.
        head: What is to take the place of the CTC head in the file; None to read with that one.
    """

    onnx: Path
    description: Path | None
    head: Head | None = None

    def grafted(self, folder: Path) -> ModelFiles:
        """Return the files that an engine is to load: with a head of ours, copies of them in ``folder``.

        Raises:
            EngineError: If head and file do not fit.
        """
        if self.head is None:
            return self
        description = self.describe()
        named = {"name": str(description["Global"]["model_name"])} if description else {}
        try:
            onnx = graft(self.onnx, self.head, folder, **named)
        except RecogniserError as error:
            raise EngineError(str(error)) from error
        return ModelFiles(onnx, onnx.with_name(DESCRIPTION_FILE))

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
            raise EngineError(f"{self.onnx} is no ONNX model that can be loaded; copy it again.") from error
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
                'or the alphabet into its metadata key "character".'
            )
        return [str(character) for character in listed]


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """Which CTC head reads.

    Attributes:
        recogniser: A head's file or a folder with one, such as a model version's; None takes the shipped one.
        languages: Groups of characters that are to be known; see :func:`model.recognition.charset.charset_of`.
    """

    recogniser: Path | None = None
    languages: Sequence[str] = DEFAULT_LANGUAGES


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
            if files.head is not None:
                hashes.update(files.head.digest.encode())
        return hashes.hexdigest()[:8]


def find_models(models_dir: Path | None) -> ModelPair | None:
    """Find the models to use.

    Args:
        models_dir: A folder with ``det/inference.onnx`` and ``rec/inference.onnx``, each with PaddleOCR's
            ``inference.yml`` beside it or, for the recogniser, the alphabet in the ONNX metadata. Where one of the two
            folders is absent, the model of the rapidocr wheel takes its place, so that a recogniser trained again needs
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


def recogniser_file(models_dir: Path | None) -> Path | None:
    """Return the ONNX file whose backbone an engine with these models reads with; None where the library has its own.

    Raises:
        EngineError: If ``models_dir`` lacks what is needed.
    """
    models = find_models(models_dir)
    return models.recogniser.onnx if models else None


def with_head(models: ModelPair, models_dir: Path | None, choice: HeadChoice) -> ModelPair:
    """Give the recogniser the head that was chosen.

    A recogniser of the user's own keeps its head, unless another one was trained for it.

    Raises:
        EngineError: If the head is damaged or belongs to another recogniser.
    """
    own = models_dir is not None and (models_dir / "rec").is_dir()
    if choice.recogniser is None and own:
        return models
    files = models.recogniser
    try:
        backbone = Backbone(files.onnx, alphabet=files.charset() if files.description else None)
        head = head_for(backbone, choice.recogniser, choice.languages)
    except RecogniserError as error:
        raise EngineError(str(error)) from error
    return models if head is backbone.original else replace(models, recogniser=replace(files, head=head))


def engine_version(name: str, digest: str) -> str:
    """Return the version of an engine: its name, that of its package with how pages are read, and its models.

    Args:
        name: The engine's, which is its package's as well.
        digest: Of its models.
    """
    return f"{name}-{version(name)}.{READING}-{digest}"


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
