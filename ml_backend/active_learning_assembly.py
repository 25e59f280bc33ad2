"""The store to the services of active learning: no model is loaded, and Label Studio is not asked."""

from __future__ import annotations

from ml_backend.order.candidates import CandidateSource
from ml_backend.order.recommendations import Recommender, thresholds_of
from ml_backend.order.stopping_advice import Adviser, learning_curve
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.events import Store
from ml_backend.store.kept_labels import KeptLabels
from ml_backend.store.task_scores import TaskScores
from model.registry.tracking import Tracking
from model.registry.versions import Registry


def build_source(store: Store) -> CandidateSource:
    """Return what brings candidates together."""
    return CandidateSource(TaskScores(store.engine), LearningStore(store.engine), KeptLabels(store.engine))


def build_recommender(settings: Settings, store: Store) -> Recommender:
    """Return what applies the rules to open tasks."""
    contact_of = ContactStore(store.engine).contacts_of
    return Recommender(build_source(store), TaskScores(store.engine), thresholds_of(settings), contact_of=contact_of)


def build_adviser(settings: Settings, store: Store) -> Adviser:
    """Return what says whether to go on."""
    registry = Registry(Tracking(settings.tracking_uri, settings.models_dir))
    return Adviser(build_source(store), LearningStore(store.engine), TaskScores(store.engine), learning_curve(registry))
