"""All that an application, or the panel, may ask of the learning loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from active_learning.criteria import Verdict
from active_learning.reasons import Reason
from ml_backend.contacts.extracting import Extraction
from ml_backend.contacts.sending import Sender
from ml_backend.learn.feedback import FeedbackService
from ml_backend.learn.service import Steering
from ml_backend.learn.status import Statuses
from ml_backend.predict.uncertainty import Signals
from ml_backend.projects.custom_fields import CustomFields
from ml_backend.projects.initialising import Initialiser
from ml_backend.projects.projects import Projects
from ml_backend.quality.patterns import Patterns
from ml_backend.store.contacts import ContactStore
from ml_backend.store.options import ProjectOptions


class Recommended(Protocol):
    """One document that a person should look at."""

    @property
    def task_id(self) -> int: ...  # noqa: D102
    @property
    def contact_id(self) -> int | str | None: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102 - 0 to 3, the higher the sooner
    @property
    def confidence(self) -> float: ...  # noqa: D102 - in [0, 1]
    @property
    def reasons(self) -> Sequence[Reason]: ...  # noqa: D102 - the most urgent first
    @property
    def words(self) -> Sequence[str]: ...  # noqa: D102 - the reasons, in plain English


class RecommendedList(Protocol):
    """The documents that people should look at first."""

    @property
    def total_candidates(self) -> int: ...  # noqa: D102
    @property
    def items(self) -> Sequence[Recommended]: ...  # noqa: D102


class RecommendationSource(Protocol):
    """Says what to look at next."""

    def recommendations(self, project_id: int, limit: int) -> RecommendedList:
        """Return the documents that are worth a person's look, the most worth first."""
        ...

    def verdict(self, project_id: int, signals: Signals) -> Verdict:
        """Say whether one document is, task or not."""
        ...


@dataclass(frozen=True, slots=True)
class SelfLearning:
    """The services, one a concern.

    Attributes:
        projects: Which project is meant, and how Label Studio is.
        statuses: How a project stands.
        steering: Collects, trains, promotes, rolls back.
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
    steering: Steering
    feedback: FeedbackService
    sender: Sender
    contacts: ContactStore
    initialiser: Initialiser
    fields: CustomFields
    options: ProjectOptions
    patterns: Patterns
    extraction: Extraction
    recommender: RecommendationSource | None = None
