"""Settings to the services of the self-learning API."""

from __future__ import annotations

from ml_backend.api.self_learning_services import RecommendationSource, SelfLearning
from ml_backend.contacts.extracting import Extraction
from ml_backend.contacts.sending import ScoringQueue, Sender
from ml_backend.contacts.usual_country import UsualCountry
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn.feedback import FeedbackService
from ml_backend.learn.promotion import Versions
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import ImageLimits, SampleWriter
from ml_backend.learn.service import Steering
from ml_backend.learn.status import Statuses
from ml_backend.learning_assembly import build_due, build_synchroniser
from ml_backend.order.coverage import Coverages
from ml_backend.page_limits import page_limits
from ml_backend.predict.task_predictor import ImageFetcher, ModelSource
from ml_backend.projects.custom_fields import CustomFields
from ml_backend.projects.initialising import Initialiser
from ml_backend.projects.projects import Projects
from ml_backend.quality.patterns import Patterns
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.events import Store
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.options import ProjectOptions
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore
from ml_backend.store.task_scores import TaskScores
from model.registry.tracking import Tracking
from model.registry.versions import Registry


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


def build_self_learning(
    settings: Settings,
    store: Store,
    label_studio: LabelStudio | None,
    images: ImageFetcher,
    models: ModelSource,
    recommender: RecommendationSource | None = None,
    queue: ScoringQueue | None = None,
) -> SelfLearning:
    """Return the services of the self-learning API; nobody is asked anything yet.

    Args:
        settings: Limits, folders, addresses.
        store: The open store.
        label_studio: ``None`` where none is set.
        images: Gets images by address.
        models: Who answers for which project.
        recommender: Says what to look at next.
        queue: Takes documents that are too long to be read at once; ``None`` for the one that the settings name.
    """
    learning, runs, due = LearningStore(store.engine), RunStore(store.engine), build_due(settings, store)
    options, contacts = ProjectOptions(store.engine), ContactStore(store.engine)
    folder = SampleFolder(settings.training_data_dir)
    registry = Registry(Tracking(settings.tracking_uri, settings.models_dir))
    projects = build_projects(settings, store, label_studio)
    feedback = build_feedback(settings, store, projects, images)
    statuses = Statuses(
        projects,
        learning,
        runs,
        due,
        registry,
        required=settings.min_training_samples,
        coverages=Coverages(store.engine),
    )
    steering = Steering(
        projects,
        build_synchroniser(settings, store, label_studio) if label_studio is not None else None,
        feedback,
        SampleWriter(learning, images, folder, contacts.contacts_of),
        due,
        runs,
        statuses,
        registry,
        Versions(registry, runs),
        options,
        both=settings.serve_both,
    )
    return SelfLearning(
        projects,
        statuses,
        steering,
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
        Patterns(learning, feedback.store),
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
