"""Settings to services: the only place where things are built and connected.

What loads torch is imported in the functions that need it, so that commands without models start at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ml_backend.admin.actions import ActionRunner
from ml_backend.admin.panel import Panel
from ml_backend.admin.panel_actions import PanelActions
from ml_backend.admin.queries import Queries
from ml_backend.admin.thumbnails import Thumbnails
from ml_backend.api.services import SelfLearning, Services
from ml_backend.contacts.extracting import Extraction
from ml_backend.contacts.sending import ScoringQueue, Sender
from ml_backend.contacts.usual_country import UsualCountry
from ml_backend.errors import BackendError, LabelStudioError
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.queue_metrics import QueueMetrics
from ml_backend.jobs.ticker import Ticker
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.images import ImageSource, build_images
from ml_backend.learn.annotation_sync import Synchroniser
from ml_backend.learn.dataset import Collector
from ml_backend.learn.feedback import FeedbackService
from ml_backend.learn.line_crops import LineCrops
from ml_backend.learn.live_metrics import VersionScores
from ml_backend.learn.page_source import PageReader, PageSource
from ml_backend.learn.promotion import Versions, previously_served
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import ImageLimits, SampleWriter
from ml_backend.learn.service import LearningService
from ml_backend.learn.status import Statuses
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.disk_metrics import DiskMetrics
from ml_backend.observability.logs import get_logger
from ml_backend.observability.metrics import Metrics
from ml_backend.ops.retention import Policy, Tidier
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.embedding_refresh import EmbeddingRefresh
from ml_backend.order.pushing import Pusher
from ml_backend.order.recommendations import Recommender, thresholds_of
from ml_backend.order.renaming import Renamer
from ml_backend.order.rescoring import Rescorer
from ml_backend.order.scoring import ScoringServices
from ml_backend.order.stopping_advice import Adviser, learning_curve
from ml_backend.order.task_order import ORDER_QUIET, REORDER_AFTER, Orderer, policy_of
from ml_backend.predict.interactive import DrawnRegions
from ml_backend.predict.model_manager import Choice, ModelManager
from ml_backend.predict.service import PredictionService
from ml_backend.predict.serving_models import number_of
from ml_backend.predict.task_predictor import ImageFetcher, ModelSource, TaskPredictor
from ml_backend.predict.wanted_lines import WantedLines
from ml_backend.projects.custom_fields import CustomFields
from ml_backend.projects.initialising import Initialiser
from ml_backend.projects.projects import Projects
from ml_backend.quality.label_search import LabelSearch
from ml_backend.quality.patterns import Patterns
from ml_backend.quality.store_metrics import StoreMetrics
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.coverage import Coverages
from ml_backend.store.engine import tell_failures
from ml_backend.store.event_times import waiting_events
from ml_backend.store.events import Store
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.kept_labels import KeptLabels
from ml_backend.store.label_errors import LabelErrors, LabelSuspect
from ml_backend.store.options import ProjectOptions
from ml_backend.store.panel_actions import ActionStore
from ml_backend.store.project_heads import ProjectHeads
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from ml_backend.store.task_failures import TaskFailures
from ml_backend.store.task_scores import TaskScores
from model.document.page_files import PageLimits
from model.errors import EngineError, ModelError
from model.evaluation.extractor_gate import GateSettings, held_out
from model.evaluation.recogniser_gate import LineGate
from model.ocr import OcrEngine
from model.ocr.cached_reader import PageReading
from model.ocr.files import find_models
from model.ocr.incremental_reread import load_steps
from model.recognition.backbone import Backbone
from model.recognition.replay import RenderedLines
from model.recognition.shipped import head_for
from model.registry.tracking import Tracking
from model.registry.version_files import recogniser_of
from model.registry.versions import Registry

if TYPE_CHECKING:
    from ml_backend.learn.project_learning import ProjectLearner
    from ml_backend.learn.recogniser_training import RecogniserServices
    from ml_backend.learn.training_run import TrainingServices
    from model.pipeline import Pipeline
    from model.recognition.lower import Lower


@dataclass(frozen=True, slots=True)
class SharedServices:
    """What the web application and the worker have in common, models loaded and warm."""

    store: Store
    metrics: Metrics
    engine: OcrEngine
    pipeline: Pipeline
    models: ModelManager[Pipeline]
    learning: LearningStore
    rescorings: RescoringStore
    label_studio: LabelStudio | None
    images: ImageSource
    predictor: TaskPredictor
    scores: TaskScores


def build_shared(settings: Settings) -> SharedServices:
    """Open the store, load the models and run them once; takes seconds.

    Raises:
        BackendError: If the store cannot be opened, or the token is refused.
        ModelError: If the models are missing or damaged.
    """
    from ml_backend.predict.engine_pool import Engines, build_engine_of
    from ml_backend.predict.project_naming import ProjectNamings
    from ml_backend.predict.timed_pipeline import MeasuredPipeline
    from model.extraction.extractor import Extractor
    from model.pipeline import SHIPPED_WEIGHTS, warm_up

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
    warm_up(pipeline)
    label_studio = (
        LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
        if settings.label_studio_url
        else None
    )
    images = build_images(settings, label_studio)
    learning, rescorings = LearningStore(store.engine), RescoringStore(store.engine)
    own_share = ProjectOptions(store.engine).challenger_share
    choice = Choice(settings.challenger_share, settings.serve_both, pinned=learning.pinned, own_share=own_share)
    runs = RunStore(store.engine)
    registry = build_registry(settings)
    # Label Studio waits three seconds for the answer that names a project's version.
    with suppress(ModelError):
        registry.open()
    models = ModelManager(
        pipeline,
        registry,
        load,
        metrics,
        choice=choice,
        most=settings.loaded_projects,
        predecessors=lambda project_id: previously_served(runs, project_id),
        adapt=ProjectNamings(ProjectOptions(store.engine), ProjectHeads(store.engine)).adapt,
    )
    models.prepare(state.id for state in learning.projects())
    models.watch(settings.model_poll_seconds, lambda: [state.id for state in learning.projects()])
    scores = TaskScores(store.engine)
    predictor = TaskPredictor(
        images,
        metrics,
        rescorings,
        scores,
        max_pages=settings.max_pages,
        values_only=WantedLines(learning).values_only,
    )
    return SharedServices(
        store, metrics, engine, pipeline, models, learning, rescorings, label_studio, images, predictor, scores
    )


def build_services(settings: Settings) -> Services:
    """Return what the web application is made of, models loaded and warm.

    Raises:
        BackendError: If the store cannot be opened, the token is refused, or REDIS_URL is no address.
        ModelError: If the models are missing or damaged.
    """
    from model.pipeline import Pipeline

    parts = build_shared(settings)
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
class TaskServices:
    """What jobs work with. What is ``None`` this process cannot do; its jobs fail and say so.

    Attributes:
        scoring: Predicts single tasks.
        rescorer: Predicts all open tasks of a project, and puts them into order.
        synchroniser: Brings annotations over.
        absorb: Makes annotations of a project's feedback that waited for Label Studio; returns of how many.
        label_search: Searches annotated documents for wrong labels.
        tidier: Removes what is no longer kept.
        learner: Learns from a project's annotations in seconds.
        renamer: Names open tasks again by what was learned.
        queue: Where jobs put what follows from them.
    """

    scoring: ScoringServices | None = None
    rescorer: Rescorer | None = None
    synchroniser: Synchroniser | None = None
    absorb: Callable[[int], int] | None = None
    label_search: LabelSearch | None = None
    tidier: Tidier | None = None
    learner: ProjectLearner | None = None
    renamer: Renamer | None = None
    queue: JobQueue | None = None


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """What a worker needs: what its jobs work with, what finds work for them, and what they count."""

    tasks: TaskServices
    ticker: Ticker
    metrics: Metrics


def build_worker_services(settings: Settings) -> WorkerServices:
    """Return what a worker needs that scores, models loaded and warm.

    Raises:
        BackendError: If there is no Label Studio to push to, the store cannot be opened, the token is refused, or
            REDIS_URL is no address.
        ModelError: If the models are missing or damaged.
    """
    _refuse_no_label_studio(settings)
    parts = build_shared(settings)
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
        Pusher(label_studio, parts.predictor, parts.rescorings, failures, parts.scores, queue.being_answered),
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
            look_again=EmbeddingRefresh(parts.models, parts.rescorings, source, parts.scores).look,
            remember_config=ProjectOptions(parts.store.engine).remember_label_config,
        ),
        remember_config=ProjectOptions(parts.store.engine).remember_label_config,
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
    tidier = build_tidier(settings, parts.store)
    learner = build_learner(settings, parts, label_studio)
    renamer = Renamer(label_studio, parts.models, parts.predictor, parts.rescorings, parts.scores, queue)
    tasks = TaskServices(scoring, rescorer, synchroniser, absorb, search, tidier, learner, renamer, queue)
    return WorkerServices(tasks, ticker, parts.metrics)


def build_label_search(settings: Settings, parts: SharedServices, label_studio: LabelStudio) -> LabelSearch:
    """Return what searches annotated documents for wrong labels, with the worker's engine for what nobody has read."""
    from ml_backend.quality.label_error_queue import renew_queue
    from model.pipeline import SHIPPED_WEIGHTS

    shipped = settings.extractor_dir or SHIPPED_WEIGHTS
    collector = build_worker_collector(settings, parts, label_studio)

    def renew(project_id: int) -> Sequence[LabelSuspect]:
        return renew_queue(label_studio, collector, parts.store, shipped, project_id)

    return LabelSearch(ActionStore(parts.store.engine), renew)


def build_worker_collector(settings: Settings, parts: SharedServices, label_studio: LabelStudio) -> Collector:
    """Return what makes examples of annotations, with the worker's engine for what nobody has read."""
    from model.pipeline import SHIPPED_WEIGHTS

    reading = PageReading(
        parts.engine,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        cache=parts.store,
        steps=load_steps(settings.extractor_dir or SHIPPED_WEIGHTS),
    )
    return build_collector(settings, parts.store, label_studio, reading)


def build_learner(settings: Settings, parts: SharedServices, label_studio: LabelStudio) -> ProjectLearner:
    """Return what learns from a project's annotations in seconds."""
    from ml_backend.learn.project_learning import ProjectLearner, trained_tasks

    runs, gate = RunStore(parts.store.engine), build_gate(settings)

    def learned(project_id: int, version: str) -> frozenset[int]:
        if number_of(version) is None:
            return frozenset()
        documents = runs.learned(project_id)
        return trained_tasks(documents, held_out(project_id, documents, least=gate.min_documents))

    return ProjectLearner(
        label_studio,
        parts.models,
        parts.learning,
        build_worker_collector(settings, parts, label_studio),
        ProjectHeads(parts.store.engine),
        ProjectOptions(parts.store.engine),
        learned,
    )


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
    tasks = TaskServices(synchroniser=synchroniser, absorb=absorb, tidier=tidier, queue=JobQueue.at(settings.queue_url))
    return WorkerServices(tasks, ticker, Metrics(CollectorRegistry()))


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


@dataclass(frozen=True, slots=True)
class LearningServices:
    """What the loop works with, apart from models."""

    store: Store
    learning: LearningStore
    runs: RunStore
    due: TrainingTrigger
    label_studio: LabelStudio
    synchroniser: Synchroniser
    service: LearningService

    def close(self) -> None:
        """Let go of connections."""
        self.label_studio.close()
        self.store.close()


def build_due(settings: Settings, store: Store) -> TrainingTrigger:
    """Return what decides when to train."""
    return TrainingTrigger(
        LearningStore(store.engine),
        RunStore(store.engine),
        min_documents=settings.min_training_samples,
        retrain_after=settings.retrain_after,
    )


def build_synchroniser(settings: Settings, store: Store, label_studio: LabelStudio) -> Synchroniser:
    """Return what brings annotations over."""
    return Synchroniser(
        label_studio,
        store,
        LearningStore(store.engine),
        build_due(settings, store),
        compare_seconds=settings.sync_seconds,
    )


def build_collector(settings: Settings, store: Store, label_studio: LabelStudio, reader: PageReader) -> Collector:
    """Return what makes examples of annotations.

    Args:
        settings: Where images may come from, and where imported ones are.
        store: Annotations and readings.
        label_studio: Where most images are.
        reader: Reads images that nobody has read before, and keeps what it has read.
    """
    images = build_images(settings, label_studio)
    imported = SampleFolder(settings.training_data_dir).fetch
    pages = PageSource(RescoringStore(store.engine), images, reader, imported)
    return Collector(LearningStore(store.engine), pages)


def build_learning(settings: Settings) -> LearningServices:
    """Open the store, and Label Studio's API.

    Raises:
        BackendError: If there is no Label Studio to learn from, its token is refused, or the store cannot be opened.
    """
    if not settings.label_studio_url:
        raise LabelStudioError(
            "There is no Label Studio to learn from.", "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    store = Store(settings.store_url)
    label_studio = LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
    return LearningServices(
        store,
        LearningStore(store.engine),
        RunStore(store.engine),
        build_due(settings, store),
        label_studio,
        build_synchroniser(settings, store, label_studio),
        build_learning_service(settings, store, label_studio),
    )


def build_source(store: Store) -> CandidateSource:
    """Return what brings candidates together."""
    return CandidateSource(TaskScores(store.engine), LearningStore(store.engine), KeptLabels(store.engine))


def build_recommender(settings: Settings, store: Store) -> Recommender:
    """Return what applies the rules to open tasks."""
    contact_of = ContactStore(store.engine).contacts_of
    return Recommender(build_source(store), TaskScores(store.engine), thresholds_of(settings), contact_of=contact_of)


def build_adviser(settings: Settings, store: Store) -> Adviser:
    """Return what says whether to go on."""
    registry = build_registry(settings)
    return Adviser(build_source(store), LearningStore(store.engine), TaskScores(store.engine), learning_curve(registry))


def build_reading(settings: Settings, learning: LearningServices, folder: Path) -> PageReading:
    """Return what reads pages as a model version does, and keeps them.

    Raises:
        ModelError: If the engine's models or the version's recogniser are missing or damaged.
    """
    from ml_backend.predict.engine_pool import build_engine_of

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
    from ml_backend.learn.recogniser_training import RecogniserServices
    from model.recognition.training import HeadPlan

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


def build_training(settings: Settings) -> TrainingServices:
    """Return what a training run works with; the OCR engine among it reads what nobody has read before.

    Raises:
        BackendError: If there is no Label Studio to learn from, its token is refused, or the store cannot be opened.
        EngineError: If the engine's models are missing or damaged.
    """
    from ml_backend.learn.training_run import TrainingServices
    from model.extraction.finetune import FinetunePlan
    from model.pipeline import SHIPPED_WEIGHTS

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
    registry = build_registry(settings)
    runs = RunStore(Store(settings.store_url).engine)
    return registry, Versions(registry, runs), runs


def page_limits(settings: Settings) -> PageLimits:
    """Return what a document of several pages may be."""
    return PageLimits(settings.max_document_bytes, settings.max_pages, settings.max_image_pixels, settings.document_dpi)


def build_projects(settings: Settings, store: Store, label_studio: LabelStudio | None) -> Projects:
    """Return what knows projects."""
    return Projects(
        label_studio,
        LearningStore(store.engine),
        ProjectOptions(store.engine),
        title=settings.label_studio_project,
        launched=settings.run_dir / "project.json",
    )


def build_feedback(settings: Settings, store: Store, projects: Projects, images: ImageFetcher) -> FeedbackService:
    """Return what takes feedback; it needs no model."""
    return FeedbackService(
        FeedbackStore(store.engine),
        ContactStore(store.engine),
        LearningStore(store.engine),
        build_due(settings, store),
        projects,
        SampleFolder(settings.training_data_dir),
        images,
        _limits(settings),
    )


def build_learning_service(settings: Settings, store: Store, label_studio: LabelStudio | None) -> LearningService:
    """Return the actions of the learning loop."""
    runs, registry = RunStore(store.engine), build_registry(settings)
    images, projects = build_images(settings, label_studio), build_projects(settings, store, label_studio)
    folder = SampleFolder(settings.training_data_dir)
    return LearningService(
        projects,
        build_synchroniser(settings, store, label_studio) if label_studio is not None else None,
        build_feedback(settings, store, projects, images),
        SampleWriter(LearningStore(store.engine), images, folder, ContactStore(store.engine).contacts_of),
        build_due(settings, store),
        runs,
        build_statuses(settings, store, projects),
        registry,
        Versions(registry, runs),
        ProjectOptions(store.engine),
        both=settings.serve_both,
    )


def build_statuses(settings: Settings, store: Store, projects: Projects) -> Statuses:
    """Return what says how projects stand."""
    return Statuses(
        projects,
        LearningStore(store.engine),
        RunStore(store.engine),
        build_due(settings, store),
        build_registry(settings),
        required=settings.min_training_samples,
        coverages=Coverages(store.engine),
        heads=ProjectHeads(store.engine),
    )


def build_self_learning(
    settings: Settings,
    store: Store,
    label_studio: LabelStudio | None,
    images: ImageFetcher,
    models: ModelSource,
    recommender: Recommender | None = None,
    queue: ScoringQueue | None = None,
) -> SelfLearning:
    """Return the services of the self-learning API; nobody is asked anything yet.

    Args:
        settings: Limits, folders, addresses.
        store: The open store.
        label_studio: ``None`` where none is set.
        images: Gets images by address.
        models: Gives the serving models of a project.
        recommender: Says what to look at next.
        queue: Takes documents that are too long to be read at once; ``None`` for the one that the settings name.
    """
    learning = LearningStore(store.engine)
    options, contacts = ProjectOptions(store.engine), ContactStore(store.engine)
    folder = SampleFolder(settings.training_data_dir)
    projects = build_projects(settings, store, label_studio)
    feedback = build_feedback(settings, store, projects, images)
    statuses = build_statuses(settings, store, projects)
    service = build_learning_service(settings, store, label_studio)
    return SelfLearning(
        projects,
        statuses,
        service,
        feedback,
        Sender(
            projects,
            contacts,
            models,
            images,
            folder,
            _limits(settings),
            RescoringStore(store.engine),
            TaskScores(store.engine),
            page_limits(settings),
            queue or JobQueue.at(settings.queue_url),
        ),
        contacts,
        Initialiser(settings, projects, learning),
        CustomFields(projects, options),
        options,
        Patterns(learning, feedback.store, KeptLabels(store.engine)),
        Extraction(
            models,
            page_limits(settings),
            recommender,
            UsualCountry(learning, settings.default_country or None).of,
            seconds=settings.predict_budget_seconds,
        ),
        recommender,
    )


def _limits(settings: Settings) -> ImageLimits:
    return ImageLimits(settings.max_image_bytes, settings.max_image_pixels)


_log = get_logger(__name__)

#: Initialising waits for documents to be read, a few at a time.
_REQUEST_SECONDS = 120.0
#: What a page shows of Label Studio is not worth waiting longer for.
_LOOK_SECONDS = 8.0


def build_panel(settings: Settings, store: Store) -> Panel:
    """Return what the panel works with; no model is loaded, and nobody is asked anything yet."""
    label_studio = _label_studio(settings)
    learning, runs, due = LearningStore(store.engine), RunStore(store.engine), build_due(settings, store)
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    registry = Registry(tracking)
    scores = TaskScores(store.engine)
    source = CandidateSource(scores, learning, KeptLabels(store.engine))
    images = build_images(settings, label_studio)
    projects = build_projects(settings, store, label_studio)
    service = build_learning_service(settings, store, label_studio)
    actions = PanelActions(
        service,
        Initialiser(settings, projects, learning),
        learning,
        registry,
        label_studio,
        JobQueue.at(settings.queue_url),
    )
    return Panel(
        settings,
        store.engine,
        Queries(
            settings,
            learning,
            runs,
            due,
            registry,
            tracking,
            _label_studio(settings, _LOOK_SECONDS),
            Coverages(store.engine),
            ProjectHeads(store.engine),
            KeptLabels(store.engine),
        ),
        ActionRunner(ActionStore(store.engine)),
        actions,
        Thumbnails(
            images,
            SampleFolder(settings.training_data_dir).fetch,
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
        ),
        build_recommender(settings, store),
        Patterns(learning, FeedbackStore(store.engine), KeptLabels(store.engine)),
        LabelErrors(store.engine, learning),
        Adviser(source, learning, scores, learning_curve(registry)),
    )


def _label_studio(settings: Settings, seconds: float = _REQUEST_SECONDS) -> LabelStudio | None:
    """Connect; a token that cannot be used is the doctor's to tell, and no reason to have no panel."""
    if not settings.label_studio_url:
        return None
    try:
        key = settings.label_studio_api_key.get_secret_value()
        return LabelStudio(settings.label_studio_url, key, timeout=seconds)
    except BackendError as error:
        _log.warning("panel_without_label_studio", error=str(error))
        return None
