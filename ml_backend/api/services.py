"""What the HTTP interface works with."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.contacts.extracting import Extraction
from ml_backend.contacts.sending import Sender
from ml_backend.learn.feedback import FeedbackService
from ml_backend.learn.service import LearningService
from ml_backend.learn.status import Statuses
from ml_backend.observability.metrics import Metrics
from ml_backend.order.recommendations import Recommender
from ml_backend.predict.service import PredictionService
from ml_backend.projects.custom_fields import CustomFields
from ml_backend.projects.initialising import Initialiser
from ml_backend.projects.projects import Projects
from ml_backend.quality.patterns import Patterns
from ml_backend.store.contacts import ContactStore
from ml_backend.store.events import Store
from ml_backend.store.options import ProjectOptions


@dataclass(frozen=True, slots=True)
class SelfLearning:
    """The services, one a concern.

    Attributes:
        projects: Which project is meant, and how Label Studio is.
        statuses: How a project stands.
        learning: Syncs, collects, trains, promotes, rolls back.
        feedback: Takes what applications correct.
        sender: Makes tasks of contacts.
        contacts: Which contact has which task.
        initialiser: Makes or repairs the project.
        fields: A project's own fields.
        options: What is set for projects.
        patterns: What corrections have in common.
        extraction: Images to contacts, without Label Studio.
        recommender: Says what to look at next; ``None`` where nothing does.
    """

    projects: Projects
    statuses: Statuses
    learning: LearningService
    feedback: FeedbackService
    sender: Sender
    contacts: ContactStore
    initialiser: Initialiser
    fields: CustomFields
    options: ProjectOptions
    patterns: Patterns
    extraction: Extraction
    recommender: Recommender | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """What the web application is made of."""

    predictions: PredictionService
    store: Store
    metrics: Metrics
    learning: SelfLearning | None = None

    def close(self) -> None:
        """Let go of threads and connections."""
        self.predictions.close()
        self.store.close()
