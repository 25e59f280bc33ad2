"""Settings to OCR engines, and to what learning to read works with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.learn.line_crops import LineCrops
from ml_backend.learn.recogniser_training import RecogniserServices
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learning_assembly import LearningServices, build_collector, build_images
from ml_backend.settings import Settings
from model.errors import EngineError
from model.evaluation.recogniser_gate import LineGate
from model.ocr import OcrEngine, build_engine
from model.ocr.cached_reader import PageReading
from model.ocr.files import find_models
from model.ocr.incremental_reread import load_steps
from model.recognition.backbone import Backbone
from model.recognition.replay import RenderedLines
from model.recognition.shipped import head_for
from model.recognition.training import HeadPlan
from model.registry.version_files import recogniser_of

if TYPE_CHECKING:
    from model.recognition.lower import Lower


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


def build_reading(settings: Settings, learning: LearningServices, folder: Path) -> PageReading:
    """Return what reads pages as a model version does, and keeps them.

    Raises:
        ModelError: If the engine's models or the version's recogniser are missing or damaged.
    """
    return PageReading(
        build_engine_of(settings, recogniser_of(folder)),
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        cache=learning.store,
        steps=load_steps(folder),
    )


def build_recogniser(settings: Settings, learning: LearningServices, shipped: PageReading) -> RecogniserServices:
    """Return what learning to read works with; nothing is loaded before it is needed.

    Args:
        settings: Where models and images are.
        learning: The store, and Label Studio.
        shipped: Reads pages as versions without a recogniser of their own do.
    """
    crops = LineCrops(
        settings.run_dir / "lines",
        build_images(settings, learning.label_studio),
        SampleFolder(settings.training_data_dir).fetch,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
    )
    return RecogniserServices(
        crops,
        lambda: build_backbone(settings),
        lambda backbone, recogniser: head_for(backbone, recogniser, settings.languages),
        RenderedLines(settings.run_dir / "rendered"),
        lambda folder: build_reading(settings, learning, folder) if recogniser_of(folder) else shipped,
        lambda reading: build_collector(settings, learning.store, learning.label_studio, reading),
        settings.languages,
        HeadPlan(budget_seconds=settings.recogniser_budget_seconds),
        LineGate(
            settings.recogniser_gate_margin,
            settings.recogniser_forgetting_margin,
            settings.recogniser_gate_min_lines,
        ),
        lower=lambda backbone: build_lower(settings, backbone),
    )


def build_backbone(settings: Settings) -> Backbone:
    """Load the layers of the engine's recogniser that are kept.

    Raises:
        EngineError: If OCR_MODELS_DIR lacks what is needed, or the library's own models are in use.
        RecogniserError: If the recogniser has no CTC head.
    """
    models = find_models(settings.ocr_models_dir)
    if models is None:
        raise EngineError("The library's own recogniser cannot be taught: install rapidocr, or set OCR_MODELS_DIR.")
    files = models.recogniser
    alphabet = files.charset() if files.description else None
    return Backbone(files.onnx, threads=settings.inference_threads, alphabet=alphabet)


def build_lower(settings: Settings, backbone: Backbone) -> Lower | None:
    """Load the layers below the head that learn with it, if RECOGNISER_TRAINS says so.

    Raises:
        RecogniserError: If the recogniser's layers cannot be taught in torch.
    """
    if settings.recogniser_trains == "head":
        return None
    # torch's layers and transformers' take seconds to load.
    from model.recognition.lower import Lower

    return Lower(backbone, settings.recogniser_trains)
