"""Settings to what training runs and the commands on versions work with."""

from __future__ import annotations

from ml_backend.learn.promotion import Versions
from ml_backend.learn.training_run import TrainingServices
from ml_backend.learning_assembly import build_collector, build_due, build_learning
from ml_backend.ocr_assembly import build_reading, build_recogniser
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore
from model.evaluation.extractor_gate import GateSettings
from model.extraction.finetune import FinetunePlan
from model.pipeline import SHIPPED_WEIGHTS
from model.registry.tracking import Tracking
from model.registry.versions import Registry


def build_training(settings: Settings) -> TrainingServices:
    """Return what a training run works with; the OCR engine among it reads what nobody has read before.

    Raises:
        BackendError: If there is no Label Studio to learn from, its token is refused, or the store cannot be opened.
        EngineError: If the engine's models are missing or damaged.
    """
    learning = build_learning(settings)
    shipped = settings.extractor_dir or SHIPPED_WEIGHTS
    reading = build_reading(settings, learning, shipped)
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    registry = Registry(tracking)
    return TrainingServices(
        learning.runs,
        build_due(settings, learning.store),
        learning.label_studio,
        build_collector(settings, learning.store, learning.label_studio, reading),
        tracking,
        registry,
        Versions(registry, learning.runs),
        shipped,
        settings.run_dir / "runs",
        FinetunePlan(budget_seconds=settings.training_budget_seconds, on_cpu=settings.training_device == "cpu"),
        build_gate(settings),
        build_recogniser(settings, learning, reading) if settings.recogniser_budget_seconds else None,
    )


def build_gate(settings: Settings) -> GateSettings:
    """Return what the gate allows."""
    return GateSettings(
        settings.gate_margin, settings.gate_field_margin, settings.gate_forgetting_margin, settings.gate_min_documents
    )


def build_versions(settings: Settings) -> tuple[Registry, Versions, RunStore]:
    """Return the registry, what moves its champions, and the runs; no model is loaded.

    Raises:
        BackendError: If the store cannot be opened.
    """
    registry = Registry(Tracking(settings.tracking_uri, settings.models_dir))
    runs = RunStore(Store(settings.store_url).engine)
    return registry, Versions(registry, runs), runs
