"""How many open tasks of a project lack a prediction of the version that serves, why, and how long it will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from sqlalchemy import Engine

from ml_backend.i18n import Words, kept, say
from ml_backend.store.rescorings import Rescoring, RescoringStore
from ml_backend.store.task_failures import FailureGroup, TaskFailures

#: What a task takes until that is measured: reading a page and naming its fields.
USUAL_SECONDS = 1.0
#: So many tasks are enough to measure it.
_MEASURED = 3
#: Why none of a project's tasks is predicted: it is not connected to this backend; its labelling configuration has no
#: place for text; the version that should serve cannot be loaded.
NOT_CONNECTED, LABEL_CONFIG, VERSION = "not_connected", "label_config", "version"

#: Why a task could not be predicted, by the word under which it is counted.
REASONS: Mapping[str, Words] = {
    "too_large": say("the image is too large"),
    "image": say("the image cannot be read"),
    "engine": say("reading failed"),
    "model": say("the model failed"),
    "image_refused": say("the image's address is refused"),
    "image_fetch": say("the image could not be fetched"),
    "no_image": say("the task has no image"),
    "pages": say("the document has too many pages"),
    "label_studio": say("Label Studio refused the prediction"),
    "crash": say("the task ended its worker"),
    "unexpected": say("something unexpected"),
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a project's open tasks are predicted.

    Attributes:
        project_id: The project.
        version: The version that serves, as far as was seen.
        open_tasks: How many open tasks there are.
        lacking: How many of them lack a prediction of that version, those that failed included.
        failures: Those of them that could not be predicted, by reason; they are tried again.
        problem: Why none of them can be predicted, in one word; empty where they can.
        problem_text: The same in a sentence.
        seconds_left: How long the others will take; 0 where none is left.
        running: Whether a batch of them is under way.
        checked_at: When Label Studio was last asked.
    """

    project_id: int
    version: str
    open_tasks: int
    lacking: int
    failures: Mapping[str, FailureGroup] = field(default_factory=dict)
    problem: str = ""
    problem_text: str = ""
    seconds_left: float = 0.0
    running: bool = False
    checked_at: datetime | None = None

    @property
    def failed(self) -> int:
        """How many tasks could not be predicted."""
        return sum(group.count for group in self.failures.values())

    @property
    def waiting(self) -> int:
        """How many tasks lack a prediction without having failed."""
        return max(0, self.lacking - self.failed)

    def said_of_failures(self) -> list[Words]:
        """Return a sentence for each reason for which tasks have no prediction."""
        return [
            say(
                "{count} open tasks have no prediction: {reason}. Of the latest: {message}",
                count=group.count,
                reason=REASONS.get(reason, reason),
                message=group.message,
            )
            for reason, group in self.failures.items()
        ]


class Coverages:
    """Says how far projects' open tasks are predicted, from what the store has; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._rescorings = RescoringStore(engine)
        self._failures = TaskFailures(engine)

    def of(self, project_id: int) -> Coverage | None:
        """Return how far a project is; ``None`` where nobody has looked yet."""
        rescoring = self._rescorings.rescoring(project_id)
        return None if rescoring is None or rescoring.checked_at is None else self._coverage(rescoring)

    def all(self) -> list[Coverage]:
        """Return how far each project is that was looked at and is connected."""
        return [
            self._coverage(rescoring)
            for rescoring in self._rescorings.rescorings().values()
            if rescoring.checked_at is not None and rescoring.problem != NOT_CONNECTED
        ]

    def _coverage(self, rescoring: Rescoring) -> Coverage:
        failures = self._failures.groups(rescoring.project_id)
        failed = sum(group.count for group in failures.values())
        lacking = max(rescoring.lacking, failed)
        return Coverage(
            rescoring.project_id,
            rescoring.version,
            max(rescoring.open_tasks, lacking),
            lacking,
            failures,
            rescoring.problem or "",
            kept(rescoring.problem_text or ""),
            (lacking - failed) * seconds_per_task(rescoring),
            rescoring.finished_at is None and lacking > failed and not rescoring.problem,
            rescoring.checked_at,
        )


def seconds_per_task(rescoring: Rescoring) -> float:
    """Return how long a task takes all workers together, as measured on the latest batch."""
    if rescoring.pushed < _MEASURED:
        return USUAL_SECONDS
    end = rescoring.finished_at or datetime.now(timezone.utc)
    return max(0.0, (end - rescoring.started_at).total_seconds()) / rescoring.pushed
