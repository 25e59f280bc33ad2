"""Which project is meant, what its labelling configuration is, and what of Label Studio can be had just now."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from ml_backend.errors import BackendError, LabelStudioError, LabelStudioUnreachableError, NotFoundError
from ml_backend.i18n import say
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.store.annotations import LearningStore
from ml_backend.store.options import ProjectOptions

#: How long a request waits for a sign of life from Label Studio, before it begins what would wait far longer.
REACH_SECONDS = 10.0
#: How long a sign of life counts.
_ALIVE_SECONDS = 10.0


class ProjectMissingError(BackendError):
    """There is no project that could be meant."""

    status = 404


@dataclass(frozen=True, slots=True)
class LabelStudioState:
    """How Label Studio is.

    Attributes:
        available: Whether it answers and has the project.
        problem: Why not; empty where all is well.
        total_tasks: Tasks of the project.
        completed_tasks: Those with an annotation.
        title: The project's.
    """

    available: bool
    problem: str = ""
    total_tasks: int = 0
    completed_tasks: int = 0
    title: str = ""


class Projects:
    """Knows projects; threads may share it.

    Args:
        label_studio: ``None`` where none is set.
        learning: The projects that were ever synced.
        options: Keeps labelling configurations for when Label Studio is down.
        title: Title of the project that is meant where none is named.
        launched: File in which ``make run`` notes its project.
    """

    def __init__(
        self,
        label_studio: LabelStudio | None,
        learning: LearningStore,
        options: ProjectOptions,
        *,
        title: str,
        launched: Path,
    ) -> None:
        self._label_studio = label_studio
        self._learning = learning
        self._options = options
        self._title = title
        self._launched = launched
        self._answered_at = -_ALIVE_SECONDS

    @property
    def title(self) -> str:
        """Title of the project that is meant where none is named."""
        return self._title

    def reach(self) -> LabelStudio:
        """Return the client of a Label Studio that answers.

        Raises:
            LabelStudioUnreachableError: If no Label Studio is set, or it gives no sign of life in
                :data:`REACH_SECONDS`.
        """
        if self._label_studio is None:
            raise LabelStudioUnreachableError(
                say("No Label Studio is set."), say("Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
            )
        if time.monotonic() - self._answered_at > _ALIVE_SECONDS:
            self._label_studio.session.reach(REACH_SECONDS)
            self._answered_at = time.monotonic()
        return self._label_studio

    def find(self, project_id: int | None = None) -> int | None:
        """Return the project that is meant.

        In this order: the one named, the one that ``make run`` has set up, the only one that was ever synced, the one
        with the title of LABEL_STUDIO_PROJECT. With Label Studio down the last is not found.

        Raises:
            StoreError: If the store cannot be read.
        """
        if project_id is not None:
            return project_id
        launched = self._of_launch()
        if launched is not None:
            return launched
        known = self._learning.projects()
        if len(known) == 1:
            return known[0].id
        if self._label_studio is None:
            return None
        try:
            found = sorted(project.id for project in self.reach().projects(self._title))
        except LabelStudioError:
            return None
        return found[0] if found else None

    def need(self, project_id: int | None = None) -> int:
        """Return the project that is meant.

        Raises:
            ProjectMissingError: If there is none.
            StoreError: If the store cannot be read.
        """
        found = self.find(project_id)
        if found is None:
            raise ProjectMissingError(
                "It does not say which project is meant, and there is none by default.",
                "Name it with ?project_id=, or make one with POST /api/self-learning/init-label-studio.",
            )
        return found

    def state(self, project_id: int | None) -> LabelStudioState:
        """Return how Label Studio is, and how far the project."""
        if self._label_studio is None:
            return LabelStudioState(False, "No Label Studio is set: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
        try:
            client = self.reach()
            if project_id is None:
                client.whoami()
                return LabelStudioState(True)
            progress = client.progress(project_id)
        except BackendError as error:
            return LabelStudioState(False, str(error))
        return LabelStudioState(True, "", progress.tasks, progress.annotated, progress.title)

    def config(self, project_id: int) -> LabelConfig:
        """Return a project's labelling configuration, as Label Studio has it, or had it when it last answered.

        Raises:
            LabelConfigError: If it cannot be read.
            LabelStudioError: If there is no such project, or Label Studio does not answer and never has.
            StoreError: If the store cannot be read.
        """
        try:
            xml = self.reach().project(project_id).label_config
        except NotFoundError:
            raise
        except LabelStudioError:
            kept = self._options.label_config(project_id)
            if kept is None:
                raise
            return parse_label_config(kept)
        self._options.remember_label_config(project_id, xml)
        return parse_label_config(xml)

    def _of_launch(self) -> int | None:
        try:
            return int(json.loads(self._launched.read_text(encoding="utf-8"))["project_id"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
