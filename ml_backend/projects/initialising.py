"""A project that is ready for work, by one call: made or repaired, connected, pre-labelled, in the right order."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.label_studio.templates import business_cards_config
from ml_backend.projects.projects import Projects
from ml_backend.projects.setup import BackendAddress, ProjectPlan, SetupReport, ensure_project
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore

#: Tasks that get their prediction within the call; the worker sees to the others.
PREDICTED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Initialiser:
    """Makes or repairs the project; threads may share it.

    Attributes:
        settings: The backend's address and secrets, and the project's title.
        projects: Label Studio.
        learning: Told of the project, so that the worker looks after it.
    """

    settings: Settings
    projects: Projects
    learning: LearningStore

    def initialise(self, project_id: int | None = None, *, title: str | None = None) -> SetupReport:
        """Make the project as it should be; changes only what is missing.

        Args:
            project_id: The project; ``None`` for the one that is meant where none is named, or a new one.
            title: Title to find it by, or to give a new one; ``None`` for LABEL_STUDIO_PROJECT.

        Raises:
            LabelConfigError: If the project is there already, with a configuration that has no place for text regions.
            LabelStudioError: If Label Studio refuses a step, or cannot reach the backend.
        """
        known = project_id if project_id is not None or title is not None else self.projects.find()
        plan = ProjectPlan(title or self.settings.label_studio_project, business_cards_config(), project_id=known)
        report = ensure_project(self.projects.reach(), plan, backend_address(self.settings), most=PREDICTED_AT_ONCE)
        self.learning.look_after(report.project_id)
        self.projects.config(report.project_id)
        return report


def backend_address(settings: Settings) -> BackendAddress:
    """Return how Label Studio reaches this backend, and proves itself to it."""
    return BackendAddress(
        url=settings.public_url,
        user=settings.basic_auth_user,
        password=settings.basic_auth_password.get_secret_value(),
        webhook_secret=settings.webhook_secret.get_secret_value(),
    )
