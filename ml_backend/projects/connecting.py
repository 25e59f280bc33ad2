"""The project in Label Studio, made ready by a command: for a system whose parts others have started."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ml_backend.errors import LabelStudioUnreachableError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.projects.initialising import backend_address
from ml_backend.projects.setup import Progress, ProjectPlan, SetupReport, ensure_project
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store

# One request may wait for four documents to be read on a slow machine.
_REQUEST_SECONDS = 120.0


def connect_project(settings: Settings, *, progress: Progress, images: Path | None = None) -> SetupReport:
    """Make or repair the project LABEL_STUDIO_PROJECT, changing only what is missing.

    Args:
        settings: Label Studio's address and token; the backend's address, as Label Studio sees it, and its secrets.
        progress: Called with a line whenever there is something new to say.
        images: Folder of the images that a project gets that has no task yet; ``None`` for none.

    Raises:
        LabelConfigError: If the project is there already, with a configuration that has no place for text regions.
        LabelStudioError: If no Label Studio is set, or it refuses a step, or cannot reach the backend.
        StoreError: If the store cannot be used.
    """
    if not settings.label_studio_url:
        raise LabelStudioUnreachableError("No Label Studio is set.", "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
    plan = ProjectPlan(settings.label_studio_project, business_cards_config())
    key = settings.label_studio_api_key.get_secret_value()
    with (
        closing(Store(settings.store_url)) as store,
        closing(LabelStudio(settings.label_studio_url, key, timeout=_REQUEST_SECONDS)) as client,
    ):
        if images is not None and not _has_tasks(client, plan.title):
            plan = replace(plan, images=sorted(images.glob("*.jpg")))
        report = ensure_project(client, plan, backend_address(settings), progress=progress)
        # The worker looks after the projects that it knows.
        LearningStore(store.engine).look_after(report.project_id)
    return report


def _has_tasks(client: LabelStudio, title: str) -> bool:
    """Tell whether the project is there with any task: what somebody deleted from it stays away."""
    return any(True for project in client.projects(title) for _ in client.tasks(project.id))
