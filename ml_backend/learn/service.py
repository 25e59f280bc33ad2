"""The actions of the learning loop, each once: API, panel and command line translate in and out.

Sync, collect, train, promote, roll back, and share tasks between versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ml_backend.errors import BackendError, LabelStudioError, RequestError
from ml_backend.i18n import say
from ml_backend.learn.annotation_sync import Synchroniser, SyncReport
from ml_backend.learn.feedback import FeedbackService
from ml_backend.learn.promotion import Versions
from ml_backend.learn.sample_io import SampleWriter
from ml_backend.learn.status import Statuses
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.logs import get_logger
from ml_backend.predict.serving_models import SHIPPED
from ml_backend.projects.projects import Projects
from ml_backend.store.options import ProjectOptions
from ml_backend.store.runs import Run, RunStore
from model.registry.versions import Registry

BY = "api"

_log = get_logger(__name__)


class NotReadyError(BackendError):
    """There is not enough to learn from."""

    status = 409


class ShareRefusedError(BackendError):
    """Tasks cannot be shared out."""

    status = 409


class NoRunError(BackendError):
    """There is no such run."""

    status = 404


@dataclass(frozen=True, slots=True)
class Collection:
    """What collecting has found.

    Attributes:
        changed: Annotations that are new, or other than they were.
        deleted: Annotations that are gone.
        feedback: Feedback that had waited and can be learned from now.
        samples: Usable annotated documents.
        unusable: Annotations that cannot be used.
        file: Where samples were written; ``None`` where nobody asked for it.
        written: How many.
        run: The run that became pending.
        problems: Why annotations could not be written, a sentence each.
    """

    changed: int
    deleted: int
    feedback: int
    samples: int
    unusable: int
    file: Path | None = None
    written: int = 0
    run: Run | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving version after a change.

    Attributes:
        version: The registry's number; 0 for the weights that ship.
        previous: The version that served before.
    """

    version: int
    previous: int


class LearningService:
    """Runs the learning loop's actions; threads may share it.

    Args:
        projects: Label Studio.
        synchroniser: ``None`` where no Label Studio is set.
        feedback: What applications have said.
        writer: Writes samples.
        due: Decides whether to train.
        runs: Training runs.
        statuses: What there is to learn from.
        registry: Versions.
        versions: Moves the champion.
        options: What is set for projects.
        both: Whether champion and challenger both predict every task.
    """

    def __init__(
        self,
        projects: Projects,
        synchroniser: Synchroniser | None,
        feedback: FeedbackService,
        writer: SampleWriter,
        due: TrainingTrigger,
        runs: RunStore,
        statuses: Statuses,
        registry: Registry,
        versions: Versions,
        options: ProjectOptions,
        *,
        both: bool = False,
    ) -> None:
        self._projects = projects
        self._synchroniser = synchroniser
        self._feedback = feedback
        self._writer = writer
        self._due = due
        self._runs = runs
        self._statuses = statuses
        self._registry = registry
        self._versions = versions
        self._options = options
        self._both = both

    def sync(self, project_id: int) -> SyncReport:
        """Make the store's annotations equal to Label Studio's.

        Raises:
            BackendError: If no Label Studio is set, or Label Studio or the store does not answer.
        """
        self._projects.reach()
        if self._synchroniser is None:
            raise LabelStudioError(
                say("No Label Studio is set."), say("Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY.")
            )
        return self._synchroniser.sync(project_id, compare=True)

    def collect(self, project_id: int, *, write: bool = False, step: Callable[[], None] = lambda: None) -> Collection:
        """Sync, absorb waiting feedback, and write the samples where asked.

        Args:
            project_id: The project.
            write: Write samples into TRAINING_DATA_DIR as well, which fetches every image.
            step: Called after each annotation that was written.

        Raises:
            BackendError: If Label Studio or the store does not answer.
        """
        report = self.sync(project_id)
        config = self._projects.config(project_id)
        absorbed = self._feedback.absorb(project_id)
        current = self._statuses.current_run(project_id)
        run = current if current is not None and current.state == "due" else report.run
        file: Path | None = None
        written, problems = 0, tuple[str, ...]()
        if write:
            file, tally = self._writer.write(project_id, config, step)
            written, problems = tally.done, tuple(tally.problems)
        samples, unusable = self._statuses.training(project_id).samples, self._statuses.unusable(project_id)
        return Collection(report.changed, report.deleted, absorbed, samples, unusable, file, written, run, problems)

    def train(self, project_id: int, *, forced: bool = False) -> tuple[Run, bool]:
        """Start a run, after what Label Studio and applications have told was taken over.

        Args:
            project_id: The project.
            forced: Make it however few documents there are, as long as there is one.

        Returns:
            The run, and whether it was pending, or in progress, already.

        Raises:
            NotReadyError: If there is not enough to learn from.
            StoreError: If the store cannot be read or written.
        """
        self._bring_over(project_id)
        self._feedback.absorb(project_id)
        state = self._statuses.training(project_id)
        current = state.run
        if current is not None and (current.state == "due" or (current.state == "running" and not forced)):
            if current.state == "due":
                # A person asks: it need not wait any longer.
                self._due.check(project_id, asked=True)
            return current, True
        if not forced and not state.ready:
            raise NotReadyError(state.reason, 'Annotate more documents, or send {"force": true}.')
        run = self._due.check(project_id, asked=True)
        if run is not None:
            return run, False
        waiting = self._statuses.current_run(project_id)
        if waiting is not None and waiting.state == "due":
            return waiting, True
        raise NotReadyError(
            say("There is no annotated document to learn from."), say("Annotate a document, then sync the project.")
        )

    def _bring_over(self, project_id: int) -> None:
        """Take over what Label Studio has told; training from what is here is possible without it."""
        if self._synchroniser is None:
            return
        try:
            # A Label Studio that hangs must not hold the caller for long.
            self._projects.reach()
            self._synchroniser.sync(project_id)
        except BackendError as error:
            _log.warning("training_without_sync", project=project_id, error=str(error))

    def runs(self, project_id: int, limit: int = 20) -> list[Run]:
        """Return the latest runs, newest first."""
        return self._runs.runs(project_id, limit)

    def run(self, run_id: int) -> Run:
        """Return one run.

        Raises:
            NoRunError: If there is none of that number.
        """
        found = self._runs.run(run_id)
        if found is None:
            raise NoRunError(f"There is no run {run_id}.", "GET /api/self-learning/runs lists them.")
        return found

    def promote(self, project_id: int, number: int, *, by: str = BY, reason: str = "by hand") -> Serving:
        """Let a version serve; 0 stands for the weights that ship.

        Raises:
            ModelError: If there is no such version, its files are damaged, or the registry cannot be written.
            StoreError: If the history cannot be written.
        """
        before = self._versions.promote(project_id, number or None, by=by, reason=reason)
        return Serving(number, before or SHIPPED)

    def roll_back(self, project_id: int, *, by: str = BY, reason: str = "rolled back by hand") -> Serving:
        """Let the version serve that served before.

        Raises:
            NothingBeforeError: If there was none.
            ModelError: If the registry cannot be read or written, or that version's files are damaged.
        """
        champion = self._registry.champion(project_id)
        number = self._versions.rollback(project_id, by=by, reason=reason)
        return Serving(number or SHIPPED, champion.number if champion else SHIPPED)

    def share(self, project_id: int, share: float | None) -> None:
        """Give the challenger a share of the tasks, in ``[0, 1]``; with ``None`` CHALLENGER_SHARE counts again.

        Raises:
            RequestError: If the share is none.
            ShareRefusedError: If both versions predict every task, so that there is nothing to share.
            StoreError: If the store cannot be written.
        """
        if share is not None and not 0 <= share <= 1:
            raise RequestError(say("The share must lie between 0 and 100 %."))
        if share is not None and self._both:
            raise ShareRefusedError(
                say("Both versions predict every task."), say("Switch SERVE_BOTH off to share tasks out.")
            )
        self._options.set_challenger_share(project_id, share)

    def challenger_share(self, project_id: int) -> float | None:
        """Return the challenger's share of the tasks, in ``[0, 1]``; ``None`` where CHALLENGER_SHARE counts."""
        return self._options.challenger_share(project_id)
