"""How a project stands: Label Studio, what there is to learn from, versions, and how the champion does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ml_backend.learn.live_metrics import VersionScore, outcomes, score
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.predict.serving_models import SHIPPED
from ml_backend.projects.projects import LabelStudioState, Projects
from ml_backend.store.annotations import LearningStore
from ml_backend.store.coverage import Coverage, Coverages
from ml_backend.store.project_heads import ProjectHeads, StoredHead
from ml_backend.store.runs import Promotion, Run, RunStore
from model.errors import ModelError
from model.registry.versions import Registry, Version

#: What an API calls the weights that ship.
SHIPPED_NAME = "shipped"


@dataclass(frozen=True, slots=True)
class Measured:
    """How good a version is.

    Attributes:
        f1: Entity F1 on held-out documents when it was made, in ``[0, 1]``; ``None`` for the weights that ship.
        documents: How many documents people began with its predictions.
        cost: Corrections a document; ``None`` where there was none.
        live_f1: Entity F1 of its predictions against what people made of them.
        confidence: Average score of its predictions.
    """

    f1: float | None = None
    documents: int = 0
    cost: float | None = None
    live_f1: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version of a project.

    Attributes:
        number: The registry's; 0 for the weights that ship.
        name: How predictions call it.
        role: ``champion``, ``challenger``, or empty.
        created_at: ``None`` for the weights that ship.
        decision: What the gate decided.
        reason: Why.
        measured: How good it is.
        tags: All that was noted when it was registered.
    """

    number: int
    name: str
    role: str
    created_at: datetime | None
    decision: str
    reason: str
    measured: Measured
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What there is to learn from, and the run in progress.

    Attributes:
        samples: Usable annotated documents.
        changed: Of these, new or changed since the last run.
        required: Documents before the first run.
        ready: Whether a run can start without being forced.
        reason: Why not; empty where it can.
        versions: Names of the versions, newest first.
        run: The run that runs or is due, else the last one.
    """

    samples: int
    changed: int
    required: int
    ready: bool
    reason: str
    versions: tuple[str, ...]
    run: Run | None

    @property
    def running(self) -> bool:
        """Whether a run is in progress."""
        return self.run is not None and self.run.state == "running"

    @property
    def progress(self) -> float | None:
        """How far the present stage is, in ``[0, 1]``; ``None`` where nothing runs, or nobody knows."""
        if self.run is None or not self.running or not self.run.steps:
            return None
        return min(1.0, (self.run.step or 0) / self.run.steps)


@dataclass(frozen=True, slots=True)
class Status:
    """How a project stands.

    Attributes:
        project_id: ``None`` while there is none.
        label_studio: The other side.
        training: What there is to learn from.
        champion: The version that serves; ``None`` where the registry cannot be read.
        registry_problem: Why it cannot.
        coverage: How far its open tasks are predicted; ``None`` where nobody has looked yet.
        head: What its documents have shown in seconds; ``None`` where there are none.
    """

    project_id: int | None
    label_studio: LabelStudioState
    training: TrainingState
    champion: VersionState | None
    registry_problem: str = ""
    coverage: Coverage | None = None
    head: StoredHead | None = None


class Statuses:
    """Gathers how projects stand; nothing here changes anything.

    Args:
        projects: Label Studio.
        learning: Annotations.
        runs: Training runs and promotions.
        due: Counts what there is to learn from.
        registry: Versions.
        required: Documents before the first run.
        coverages: Says how far open tasks are predicted.
        heads: Keeps what documents have shown in seconds.
        shipped: Asked for the version that predictions of the weights that ship carry.
    """

    def __init__(
        self,
        projects: Projects,
        learning: LearningStore,
        runs: RunStore,
        due: TrainingTrigger,
        registry: Registry,
        *,
        required: int,
        coverages: Coverages,
        heads: ProjectHeads,
        shipped: str = SHIPPED_NAME,
    ) -> None:
        self._projects = projects
        self._learning = learning
        self._runs = runs
        self._due = due
        self._registry = registry
        self._required = required
        self._coverages = coverages
        self._heads = heads
        self._shipped = shipped

    def status(self, project_id: int | None) -> Status:
        """Return how a project stands.

        Raises:
            StoreError: If the store cannot be read.
        """
        state = self._projects.state(project_id)
        versions: Sequence[VersionState] = ()
        problem = ""
        if project_id is not None:
            try:
                versions = self.versions(project_id)
            except ModelError as error:
                problem = str(error)
        champion = next((each for each in versions if each.role == "champion"), None)
        coverage = None if project_id is None else self._coverages.of(project_id)
        head = None if project_id is None else self._heads.head(project_id)
        return Status(project_id, state, self.training(project_id, versions), champion, problem, coverage, head)

    def training(self, project_id: int | None, versions: Sequence[VersionState] = ()) -> TrainingState:
        """Return what there is to learn from."""
        names = tuple(each.name for each in versions if each.number != SHIPPED)
        if project_id is None:
            return TrainingState(0, 0, self._required, False, "There is no project yet.", names, None)
        standing = self._due.standing(project_id)
        samples, run = len(standing.digests), self.current_run(project_id)
        reason = ""
        if samples < self._required:
            reason = f"There are {samples} annotated documents of the {self._required} that the first run needs."
        elif standing.changed == 0:
            reason = "Nothing has changed since the last run."
        elif run is not None and run.state == "running":
            reason = f"Run {run.id} is in progress."
        return TrainingState(samples, standing.changed, self._required, not reason, reason, names, run)

    def current_run(self, project_id: int) -> Run | None:
        """Return the run in progress, else the one that is due, else the last one."""
        runs = self._runs.runs(project_id, limit=10)
        for state in ("running", "due"):
            if found := next((run for run in runs if run.state == state), None):
                return found
        return runs[0] if runs else None

    def versions(self, project_id: int) -> list[VersionState]:
        """Return all versions, newest first; the weights that ship come last.

        Raises:
            ModelError: If the registry cannot be read.
            StoreError: If the store cannot be read.
        """
        champion, challenger = self._registry.champion(project_id), self._registry.challenger(project_id)
        live = score(outcomes(self._learning, project_id))
        roles = {
            version.number: role for version, role in ((challenger, "challenger"), (champion, "champion")) if version
        }
        found = [_state(each, roles.get(each.number, ""), live) for each in self._registry.versions(project_id)]
        role = "champion" if champion is None else ""
        shipped = VersionState(SHIPPED, self._shipped, role, None, "", "", _measured(None, live.get(SHIPPED)))
        return [*found, shipped]

    def unusable(self, project_id: int) -> int:
        """Return how many annotations cannot be used, for their regions or their pages."""
        return sum(head.problem is not None for head in self._learning.heads(project_id) if not head.was_cancelled)

    def promotions(self, project_id: int, limit: int = 100) -> list[Promotion]:
        """Return who served since when, newest first.

        Raises:
            StoreError: If the store cannot be read.
        """
        return self._runs.promotions(project_id, limit=limit)


def _state(version: Version, role: str, live: Mapping[int, VersionScore]) -> VersionState:
    tags = version.tags
    return VersionState(
        version.number,
        version.name,
        role,
        version.created_at,
        tags.get("decision", ""),
        tags.get("reason", ""),
        _measured(tags.get("f1"), live.get(version.number)),
        dict(tags),
    )


def _measured(f1: str | None, live: VersionScore | None) -> Measured:
    try:
        held_out = None if f1 is None else float(f1)
    except ValueError:
        held_out = None
    if live is None:
        return Measured(held_out)
    return Measured(held_out, live.documents, live.cost, live.entity_f1, live.confidence)
