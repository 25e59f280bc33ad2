"""What the panel's pages show, gathered from where it is kept. Nothing here changes anything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ml_backend.errors import BackendError, LabelStudioUnreachableError
from ml_backend.i18n import Words, say
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import Label
from ml_backend.label_studio.records import Project
from ml_backend.learn.live_metrics import Outcome, VersionScore, outcomes, score
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.coverage import Coverage, Coverages
from ml_backend.store.project_heads import ProjectHeads, StoredHead
from ml_backend.store.records import Correction, StoredAnnotation
from ml_backend.store.runs import Promotion, Run, RunStore
from model.errors import ModelError
from model.registry.tracking import Tracking
from model.registry.versions import Registry, Version

#: For so long a Label Studio that did not answer is not asked for titles again: a page would wait once more.
_SILENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LabelStudioState:
    """How Label Studio is.

    Attributes:
        url: Its address.
        available: Whether it answers and knows the project.
        problem: Why not.
        title: The project's.
        tasks: All of the project's.
        done: Those with an annotation.
    """

    url: str
    available: bool
    problem: Words | None = None
    title: str = ""
    tasks: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """One project at a glance.

    Attributes:
        label_studio: The other side.
        documents: Usable annotated documents.
        changed: Of these, new or changed since the last run.
        champion: Serves; ``None`` stands for the weights that ship.
        challenger: The latest that does not.
        scores: How versions do while people work with them, by number.
        run: The run that is due or runs, else the last one.
        registry_problem: Why versions cannot be told.
        step: What to do next.
        coverage: How far the open tasks are predicted; ``None`` where nobody has looked yet.
        head: What the documents have shown in seconds; ``None`` where there are none.
    """

    label_studio: LabelStudioState
    documents: int
    changed: int
    champion: Version | None
    challenger: Version | None
    scores: dict[int, VersionScore]
    run: Run | None
    registry_problem: str
    step: Words
    coverage: Coverage | None
    head: StoredHead | None


@dataclass(frozen=True, slots=True)
class Corrected:
    """One annotation and what the person changed.

    Attributes:
        annotation: With the task's data.
        corrections: In the order in which they were found.
    """

    annotation: StoredAnnotation
    corrections: Sequence[Correction]


class Queries:
    """Gathers what pages show; threads may share it.

    Args:
        settings: The limits that are shown.
        learning: Annotations.
        runs: Training runs and promotions.
        due: Counts what there is to learn from.
        registry: Versions.
        tracking: Their numbers.
        label_studio: ``None`` where none is set.
        coverages: Says how far open tasks are predicted.
        heads: Keeps what documents have shown in seconds.
        labels: Asked for the labels of a project; none where they are not known.
    """

    def __init__(
        self,
        settings: Settings,
        learning: LearningStore,
        runs: RunStore,
        due: TrainingTrigger,
        registry: Registry,
        tracking: Tracking,
        label_studio: LabelStudio | None,
        coverages: Coverages,
        heads: ProjectHeads,
        labels: Callable[[int], Sequence[Label]] = lambda _project: (),
    ) -> None:
        self.settings = settings
        self.learning = learning
        self.runs = runs
        self.registry = registry
        self.tracking = tracking
        self.label_studio = label_studio
        self._due = due
        self._coverages = coverages
        self._heads = heads
        self.labels = labels
        self._silent_since = -math.inf

    def projects(self) -> list[Project]:
        """Return the projects that this backend knows, or serves, with their titles as far as they can be had."""
        known = {state.id for state in self.learning.projects()}
        nameless = [Project(number, "", "", "", "", 0) for number in sorted(known)]
        if self.label_studio is None or time.monotonic() - self._silent_since < _SILENCE_SECONDS:
            return nameless
        try:
            found = self.label_studio.projects()
        except BackendError as error:
            self._note(error)
            return nameless
        title = self.settings.label_studio_project
        mine = [project for project in found if project.id in known or project.title == title]
        return sorted(mine, key=lambda project: project.id)

    def state(self, project_id: int) -> LabelStudioState:
        """Ask Label Studio how a project is."""
        client = self.label_studio
        if client is None:
            problem = say("No Label Studio is set: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
            return LabelStudioState("", False, problem)
        url = self.settings.label_studio_url.rstrip("/")
        try:
            progress = client.progress(project_id)
        except BackendError as error:
            self._note(error)
            return LabelStudioState(url, False, say("{error}", error=error.message))
        return LabelStudioState(url, True, None, progress.title, progress.tasks, progress.annotated)

    def _note(self, error: BackendError) -> None:
        if isinstance(error, LabelStudioUnreachableError):
            self._silent_since = time.monotonic()

    def overview(self, project_id: int) -> Overview:
        """Return a project at a glance.

        Raises:
            StoreError: If the store cannot be read.
        """
        state, standing = self.state(project_id), self._due.standing(project_id)
        champion, challenger, problem = self._aliases(project_id)
        run = self.current_run(project_id)
        found = self.outcomes(project_id)
        documents = len(standing.digests)
        step = self._next_step(state, documents, standing.changed, challenger, run, bool(problem))
        return Overview(
            state,
            documents,
            standing.changed,
            champion,
            challenger,
            score(found),
            run,
            problem,
            step,
            self._coverages.of(project_id),
            self._heads.head(project_id),
        )

    def current_run(self, project_id: int) -> Run | None:
        """Return the run in progress, else the one that is due, else the last one."""
        runs = self.runs.runs(project_id, limit=10)
        for state in ("running", "due"):
            if found := next((run for run in runs if run.state == state), None):
                return found
        return runs[0] if runs else None

    def outcomes(self, project_id: int) -> list[Outcome]:
        """Return what people made of predictions."""
        return outcomes(self.learning, project_id)

    def versions(self, project_id: int) -> list[Version]:
        """Return all versions, newest first."""
        return self.registry.versions(project_id)

    def promotions(self, project_id: int) -> list[Promotion]:
        """Return the promotions, newest first."""
        return self.runs.promotions(project_id, limit=20)

    def corrected(self, project_id: int, page: int, size: int = 10) -> tuple[list[Corrected], int]:
        """Return a page of the annotations that changed something, newest first, and how many there are."""
        heads = [head for head in self.learning.heads(project_id) if not head.was_cancelled]
        heads.sort(key=lambda head: (head.updated_at, head.id), reverse=True)
        chosen = [head.id for head in heads[page * size : (page + 1) * size]]
        found = {item.id: item for item in self.learning.annotations(chosen)}
        return [Corrected(found[n], self.learning.corrections(n)) for n in chosen if n in found], len(heads)

    def _aliases(self, project_id: int) -> tuple[Version | None, Version | None, str]:
        try:
            return self.registry.champion(project_id), self.registry.challenger(project_id), ""
        except ModelError as error:
            return None, None, str(error)

    def _next_step(
        self,
        state: LabelStudioState,
        documents: int,
        changed: int,
        challenger: Version | None,
        run: Run | None,
        broken: bool,
    ) -> Words:
        least, after = self.settings.min_training_samples, self.settings.retrain_after
        if not state.available:
            return say("Label Studio is unreachable. Run the doctor to find out why.")
        if broken:
            return say("MLflow is unreachable. Fix it first: without it versions are neither kept nor changed.")
        if run is not None and run.state == "running":
            return say("A run is in progress: go on annotating, what you do now counts for the next one.")
        if run is not None and run.state == "due":
            return say(
                "A run is pending and begins within seconds; if it does not, run the doctor to check the trainer."
            )
        if run is not None and run.state == "failed":
            return say("The last run failed: read why below, fix it, and train again.")
        if state.tasks == 0:
            return say('Import documents into Label Studio, then press "Initialise".')
        if state.done >= state.tasks and changed < after:
            return say("All tasks are annotated: import more documents, or enjoy the pre-labels.")
        if documents < least:
            return say(
                "Annotate {count} more documents: the first run begins at {least}.",
                count=least - documents,
                least=least,
            )
        if changed >= after:
            return say('{changed} documents are new: press "Train", or wait for the next sync.', changed=changed)
        if challenger is not None and run is not None and run.decision == "kept":
            return say(
                "The last version was not better: annotate what is recommended, {count} more start the next run.",
                count=after - changed,
            )
        return say("Annotate what is recommended: {count} more documents start the next run.", count=after - changed)
