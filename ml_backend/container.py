"""Settings to services: the one place where everything is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
from prometheus_client import CollectorRegistry

from ml_backend.active_learning_assembly import build_recommender, build_source
from ml_backend.errors import LabelStudioError
from ml_backend.jobs.label_errors import LabelSearch
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.queue_metrics import QueueMetrics
from ml_backend.jobs.scoring import ScoringServices
from ml_backend.jobs.ticker import Ticker
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.images import ImageSource
from ml_backend.learn.annotation_sync import Synchroniser
from ml_backend.learn.promotion import served_before
from ml_backend.learning_assembly import build_collector, build_due, build_images, build_synchroniser
from ml_backend.observability.disk_metrics import DiskMetrics
from ml_backend.observability.metrics import Metrics
from ml_backend.ocr_assembly import build_engine_of
from ml_backend.ops.retention import Policy, Tidier
from ml_backend.order.embedding_refresh import LookingAgain
from ml_backend.order.pushing import Pusher
from ml_backend.order.rescoring import Rescorer
from ml_backend.order.task_order import ORDER_QUIET, REORDER_AFTER, Orderer, policy_of
from ml_backend.predict.engine_pool import Engines
from ml_backend.predict.interactive import DrawnRegions
from ml_backend.predict.model_manager import Choice, Models
from ml_backend.predict.service import PredictionService, Services
from ml_backend.predict.task_predictor import TaskPredictor
from ml_backend.predict.timed_pipeline import MeasuredPipeline
from ml_backend.quality.label_error_queue import renew_queue
from ml_backend.quality.live_metrics import VersionScores
from ml_backend.quality.store_metrics import StoreMetrics
from ml_backend.self_learning.assembly import build_feedback, build_projects, build_self_learning
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import tell_failures
from ml_backend.store.event_times import waiting_events
from ml_backend.store.events import Store
from ml_backend.store.label_errors import LabelSuspect
from ml_backend.store.options import ProjectOptions
from ml_backend.store.panel_actions import ActionStore
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from ml_backend.store.task_failures import TaskFailures
from ml_backend.store.task_scores import TaskScores
from model.errors import ModelError
from model.extraction.extractor import Extractor
from model.ocr import OcrEngine
from model.ocr.cached_reader import PageReading
from model.ocr.incremental_reread import load_steps
from model.pipeline import SHIPPED_WEIGHTS, Pipeline
from model.registry.tracking import Tracking
from model.registry.version_files import recogniser_of
from model.registry.versions import Registry


@dataclass(frozen=True, slots=True)
class Parts:
    """What the web application and the worker have in common, models loaded and warm."""

    store: Store
    metrics: Metrics
    engine: OcrEngine
    pipeline: Pipeline
    models: Models[Pipeline]
    learning: LearningStore
    rescorings: RescoringStore
    label_studio: LabelStudio | None
    images: ImageSource
    predictor: TaskPredictor
    scores: TaskScores


def build_parts(settings: Settings) -> Parts:
    """Open the store, load the models and run them once; takes seconds.

    Raises:
        BackendError: If the store cannot be opened, or the token is refused.
        ModelError: If the models are missing or damaged.
    """
    metrics = Metrics(CollectorRegistry(), multiprocess_dir=settings.shared_metrics_dir)
    store = Store(settings.store_url)
    tell_failures(store.engine, metrics.store_failed)
    threads = settings.inference_threads
    engines = Engines(lambda recogniser: build_engine_of(settings, recogniser), metrics)

    def load(folder: Path, name: str = "") -> Pipeline:
        extractor = Extractor.load(folder, threads=threads, runtime=settings.extractor_runtime)
        extractor.version = name or extractor.version
        return MeasuredPipeline(
            engines.of(recogniser_of(folder)),
            extractor,
            metrics,
            max_image_bytes=settings.max_image_bytes,
            max_image_pixels=settings.max_image_pixels,
            cache=store,
            steps=load_steps(folder),
        )

    pipeline = load(settings.extractor_dir or SHIPPED_WEIGHTS)
    engine = pipeline.engine
    warm_up(engine, pipeline)
    label_studio = (
        LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
        if settings.label_studio_url
        else None
    )
    images = ImageSource(
        label_studio.session if label_studio else None,
        allowed_hosts=settings.image_hosts,
        local_files_root=settings.local_files_root,
        max_bytes=settings.max_image_bytes,
        timeout=settings.fetch_timeout_seconds,
    )
    learning, rescorings = LearningStore(store.engine), RescoringStore(store.engine)
    own_share = ProjectOptions(store.engine).challenger_share
    choice = Choice(settings.challenger_share, settings.serve_both, pinned=learning.pinned, own_share=own_share)
    runs = RunStore(store.engine)
    registry = build_registry(settings)
    # Label Studio waits three seconds for the answer that names a project's version.
    with suppress(ModelError):
        registry.open()
    models = Models(
        pipeline,
        registry,
        load,
        metrics,
        choice=choice,
        most=settings.loaded_projects,
        predecessors=lambda project_id: served_before(runs, project_id),
    )
    models.prepare(state.id for state in learning.projects())
    models.watch(settings.model_poll_seconds, lambda: [state.id for state in learning.projects()])
    scores = TaskScores(store.engine)
    predictor = TaskPredictor(images, metrics, rescorings, scores, max_pages=settings.max_pages)
    return Parts(
        store, metrics, engine, pipeline, models, learning, rescorings, label_studio, images, predictor, scores
    )


def build_services(settings: Settings) -> Services:
    """Return what the web application is made of, models loaded and warm.

    Raises:
        BackendError: If the store cannot be opened, the token is refused, or REDIS_URL is no address.
        ModelError: If the models are missing or damaged.
    """
    parts = build_parts(settings)
    queue = JobQueue.at(settings.queue_url)
    for collector in (
        VersionScores(parts.learning),
        StoreMetrics(parts.store.engine, build_due(settings, parts.store)),
        QueueMetrics(queue),
        DiskMetrics(settings.folders),
    ):
        parts.metrics.add(collector)
    predictions = PredictionService(
        parts.models,
        parts.predictor,
        DrawnRegions(
            parts.pipeline.decode,
            lambda reader: reader.engine if isinstance(reader, Pipeline) else parts.engine,
            parts.images,
        ),
        queue,
        parts.metrics,
        budget_seconds=settings.predict_budget_seconds,
    )
    learning = build_self_learning(
        settings,
        parts.store,
        parts.label_studio,
        parts.images,
        parts.models,
        build_recommender(settings, parts.store),
        queue,
    )
    return Services(predictions, parts.store, parts.metrics, learning)


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """What the jobs of a worker work with, and what finds work for them; without models, nothing scores."""

    scoring: ScoringServices | None
    rescorer: Rescorer | None
    synchroniser: Synchroniser
    ticker: Ticker
    absorb: Callable[[int], int]
    label_search: LabelSearch | None
    metrics: Metrics
    tidier: Tidier


def build_worker_services(settings: Settings) -> WorkerServices:
    """Return what a worker needs that scores, models loaded and warm.

    Raises:
        BackendError: If there is no Label Studio to push to, the store cannot be opened, the token is refused, or
            REDIS_URL is no address.
        ModelError: If the models are missing or damaged.
    """
    _refuse_no_label_studio(settings)
    parts = build_parts(settings)
    label_studio = parts.label_studio
    assert label_studio is not None
    queue = JobQueue.at(settings.queue_url)
    source = build_source(parts.store)
    failures = TaskFailures(parts.store.engine)
    rescorer = Rescorer(
        label_studio,
        parts.models,
        parts.predictor,
        parts.rescorings,
        parts.learning,
        Pusher(label_studio, parts.predictor, parts.rescorings, failures, parts.scores),
        queue,
        Chunks(queue),
        failures,
        parts.scores,
        settings.public_url,
        keep_old=settings.keep_old_predictions,
        orderer=Orderer(
            label_studio,
            source,
            parts.scores,
            policy_of(settings),
            look_again=LookingAgain(parts.models, parts.rescorings, source, parts.scores).look,
            remember_config=ProjectOptions(parts.store.engine).remember_label_config,
        ),
    )
    ticker = Ticker(
        lambda: waiting_events(parts.store.engine),
        parts.learning.projects,
        RunStore(parts.store.engine),
        parts.models.settled_version,
        queue,
        sync_seconds=settings.sync_seconds,
        to_order=lambda: parts.scores.to_order(ORDER_QUIET, REORDER_AFTER),
    )
    scoring = ScoringServices(label_studio, parts.models, parts.predictor, queue)
    projects = build_projects(settings, parts.store, label_studio)
    absorb = build_feedback(settings, parts.store, projects, parts.images).absorb
    synchroniser = build_synchroniser(settings, parts.store, label_studio)
    search = build_label_search(settings, parts, label_studio)
    return WorkerServices(
        scoring, rescorer, synchroniser, ticker, absorb, search, parts.metrics, build_tidier(settings, parts.store)
    )


def build_label_search(settings: Settings, parts: Parts, label_studio: LabelStudio) -> LabelSearch:
    """Return what searches annotated documents for wrong labels, with the worker's engine for what nobody has read."""
    shipped = settings.extractor_dir or SHIPPED_WEIGHTS
    reading = PageReading(
        parts.engine,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        cache=parts.store,
        steps=load_steps(shipped),
    )
    collector = build_collector(settings, parts.store, label_studio, reading)

    def renew(project_id: int) -> Sequence[LabelSuspect]:
        return renew_queue(label_studio, collector, parts.store, shipped, project_id)

    return LabelSearch(ActionStore(parts.store.engine), renew)


def build_sync_services(settings: Settings) -> WorkerServices:
    """Return what a worker needs that only syncs: no models, so that it starts at once and takes little memory.

    Its ticker leaves it to workers with models to see which tasks are to be scored again.

    Raises:
        BackendError: If there is no Label Studio to ask, the store cannot be opened, the token is refused, or REDIS_URL
            is no address.
    """
    _refuse_no_label_studio(settings)
    store = Store(settings.store_url)
    label_studio = LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
    scores = TaskScores(store.engine)
    ticker = Ticker(
        lambda: waiting_events(store.engine),
        LearningStore(store.engine).projects,
        RunStore(store.engine),
        None,
        JobQueue.at(settings.queue_url),
        sync_seconds=settings.sync_seconds,
        to_order=lambda: scores.to_order(ORDER_QUIET, REORDER_AFTER),
    )
    projects = build_projects(settings, store, label_studio)
    absorb = build_feedback(settings, store, projects, build_images(settings, label_studio)).absorb
    synchroniser = build_synchroniser(settings, store, label_studio)
    tidier = build_tidier(settings, store)
    return WorkerServices(None, None, synchroniser, ticker, absorb, None, Metrics(CollectorRegistry()), tidier)


def _refuse_no_label_studio(settings: Settings) -> None:
    if not settings.label_studio_url:
        raise LabelStudioError(
            "The worker has no Label Studio to push predictions to.", "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )


def build_tidier(settings: Settings, store: Store) -> Tidier:
    """Return what removes what is no longer kept."""
    events, pages = (
        timedelta(days=days) if days else None for days in (settings.keep_events_days, settings.keep_pages_days)
    )
    policy = Policy(settings.keep_versions, events, pages)
    return Tidier(store.engine, build_registry(settings), policy, settings.run_dir, settings.models_dir)


def build_registry(settings: Settings) -> Registry:
    """Return where model versions are kept; nothing is opened before the first question."""
    return Registry(Tracking(settings.tracking_uri, settings.models_dir))


def warm_up(engine: OcrEngine, pipeline: Pipeline) -> None:
    """Run every model once: the first run allocates and compiles, and the first annotator should not wait for it."""
    card = np.full((300, 525, 3), 255, dtype=np.uint8)
    for line, words in enumerate(("Ada Lovelace", "ada@example.com")):
        cv2.putText(card, words, (30, 90 + 90 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (0, 0, 0), 3)
    pipeline.extract(engine.read(card), card)
