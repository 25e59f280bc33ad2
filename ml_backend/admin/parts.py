"""What the panel's pages work with, and how it is put together."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from ml_backend.admin.actions import Actions
from ml_backend.admin.deeds import Deeds
from ml_backend.admin.queries import Desk
from ml_backend.admin.thumbnails import Pictures
from ml_backend.errors import BackendError
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn.promotion import Versions
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learning_assembly import build_due, build_images, build_synchroniser
from ml_backend.observability.logs import get_logger
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.coverage import Coverages
from ml_backend.order.recommendations import Recommender, thresholds_of
from ml_backend.order.stopping_advice import Adviser, learning_curve
from ml_backend.quality.patterns import Patterns
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.events import Store
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.kept_labels import KeptLabels
from ml_backend.store.label_errors import LabelErrors
from ml_backend.store.options import ProjectOptions
from ml_backend.store.panel_actions import ActionStore
from ml_backend.store.runs import RunStore
from ml_backend.store.task_scores import TaskScores
from model.registry.tracking import Tracking
from model.registry.versions import Registry

#: Initialising waits for documents to be read, a few at a time.
_REQUEST_SECONDS = 120.0
#: What a page shows of Label Studio is not worth waiting longer for.
_LOOK_SECONDS = 8.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Panel:
    """What the pages work with.

    Attributes:
        settings: The backend's.
        engine: The store's database, for the doctor.
        desk: Gathers what is shown.
        actions: Runs what buttons set going.
        deeds: What the buttons do.
        pictures: Thumbnails and crops.
        recommender: Says what to look at next.
        patterns: Finds what corrections have in common.
        label_errors: Annotated tasks whose labels may be wrong.
        adviser: Says whether to go on annotating.
    """

    settings: Settings
    engine: Engine
    desk: Desk
    actions: Actions
    deeds: Deeds
    pictures: Pictures
    recommender: Recommender
    patterns: Patterns
    label_errors: LabelErrors
    adviser: Adviser


def build_panel(settings: Settings, store: Store) -> Panel:
    """Return what the panel works with; no model is loaded, and nobody is asked anything yet."""
    label_studio = _label_studio(settings)
    learning, runs, due = LearningStore(store.engine), RunStore(store.engine), build_due(settings, store)
    tracking = Tracking(settings.tracking_uri, settings.models_dir)
    registry = Registry(tracking)
    scores = TaskScores(store.engine)
    source = CandidateSource(scores, learning, KeptLabels(store.engine))
    deeds = Deeds(
        settings,
        learning,
        runs,
        due,
        registry,
        Versions(registry, runs),
        label_studio,
        build_synchroniser(settings, store, label_studio) if label_studio else None,
        ProjectOptions(store.engine),
        JobQueue.at(settings.queue_url),
        ContactStore(store.engine),
    )
    return Panel(
        settings,
        store.engine,
        Desk(
            settings,
            learning,
            runs,
            due,
            registry,
            tracking,
            _label_studio(settings, _LOOK_SECONDS),
            Coverages(store.engine),
        ),
        Actions(ActionStore(store.engine)),
        deeds,
        Pictures(
            build_images(settings, label_studio),
            SampleFolder(settings.training_data_dir).fetch,
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
        ),
        build_recommender(settings, store),
        Patterns(learning, FeedbackStore(store.engine)),
        LabelErrors(store.engine, learning),
        Adviser(source, learning, scores, learning_curve(registry)),
    )


def build_recommender(settings: Settings, store: Store, label_studio: LabelStudio | None = None) -> Recommender:
    """Return what applies the rules to open tasks; it asks nobody but the store."""
    scores = TaskScores(store.engine)
    source = CandidateSource(scores, LearningStore(store.engine), KeptLabels(store.engine))
    return Recommender(source, scores, thresholds_of(settings), contact_of=ContactStore(store.engine).contacts_of)


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
