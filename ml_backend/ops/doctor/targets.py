"""What an examination looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.settings import Settings
from ml_backend.store.coverage import Coverage


@dataclass(frozen=True, slots=True)
class System:
    """This machine's part of the system.

    Attributes:
        settings: As the parts that run have them.
        engine: The store's database, not migrated by having been opened; ``None`` opens it again.
    """

    settings: Settings
    engine: Engine | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that a running system writes into."""
        return (self.settings.run_dir, self.settings.models_dir, self.settings.training_data_dir)


@dataclass(frozen=True, slots=True)
class Connection:
    """The way to Label Studio.

    Attributes:
        settings: Its address and token.
        connect: Opens the connection.
    """

    settings: Settings
    connect: Callable[[], LabelStudio]


@dataclass(frozen=True, slots=True)
class ProjectLink:
    """One project and its way to this backend.

    Attributes:
        settings: The backend's address and secrets.
        label_studio: The connection.
        project_id: The project.
        arrived: Tells how many events of the project of a kind were stored, to see whether one arrives.
        wait_seconds: How long an event may take.
        coverage: Tells how far the open tasks of a project are predicted; ``None`` where nobody has looked yet.
        skipped: Counts the annotated regions of a project that cannot be used, by the reason.
    """

    settings: Settings
    label_studio: LabelStudio
    project_id: int
    arrived: Callable[[int, str], int]
    wait_seconds: float = 10.0
    coverage: Callable[[int], Coverage | None] = lambda _project: None
    skipped: Callable[[int, LabelConfig], Mapping[str, int]] = lambda _project, _config: {}
