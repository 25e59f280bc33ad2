"""What predicting open tasks asks of Label Studio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ml_backend.label_studio.client import Sampling
from ml_backend.label_studio.records import MlBackend, Prediction, Project, Task


class TaskBoard(Protocol):
    """What predicting open tasks asks of Label Studio; :class:`ml_backend.label_studio.client.LabelStudio` is one.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses.
    """

    def projects(self) -> list[Project]:
        """Return all projects that the token's user sees."""
        ...

    def project(self, project_id: int) -> Project:
        """Return one project."""
        ...

    def update_project(
        self, project_id: int, *, model_version: str | None = None, sampling: Sampling | None = None
    ) -> None:
        """Change what is given."""
        ...

    def open_ids(self, project_id: int, *, lacking: str | None = None) -> Iterator[int]:
        """Go through the open tasks that lack a version's prediction."""
        ...

    def open_count(self, project_id: int, *, lacking: str | None = None) -> int:
        """Return how many open tasks lack a version's prediction."""
        ...

    def ml_backends(self, project_id: int) -> list[MlBackend]:
        """Return the backends that a project is connected to."""
        ...

    def open_tasks(self, project_id: int, task_ids: Sequence[int], *, lacking: str | None = None) -> Iterator[Task]:
        """Go through those of the given tasks."""
        ...

    def create_predictions(self, predictions: Iterable[Prediction]) -> list[int]:
        """Store predictions."""
        ...

    def version_counts(self, project_id: int) -> dict[str, int]:
        """Return how many predictions each version has."""
        ...

    def delete_version(self, project_id: int, version: str) -> None:
        """Delete all predictions of a version."""
        ...
