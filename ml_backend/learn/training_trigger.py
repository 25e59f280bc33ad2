"""Whether a project is due for training: asked at the end of each sync, and of each run."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import choose, fingerprint
from ml_backend.store.runs import Run, RunStore

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a project stands between two runs.

    Attributes:
        digests: By task, the digest of the annotation that counts and can be used.
        changed: Documents that are new, different or gone since the last finished run.
        learned: Whether there was such a run, and it had documents.
    """

    digests: dict[int, str]
    changed: int
    learned: bool

    @property
    def fingerprint(self) -> str:
        """Names what there is to learn from."""
        return fingerprint(self.digests)


class TrainingTrigger:
    """Decides whether a run is due, and says so in the store; threads may share it.

    Args:
        learning: The annotations.
        runs: The runs.
        min_documents: Usable annotated documents without which no run starts by itself.
        retrain_after: Changed documents that make a run due that is not the first.
    """

    def __init__(self, learning: LearningStore, runs: RunStore, *, min_documents: int, retrain_after: int) -> None:
        self._learning = learning
        self._runs = runs
        self._min_documents = min_documents
        self._retrain_after = retrain_after

    def standing(self, project_id: int) -> Standing:
        """Return what a run would learn from now, and how much of that is new.

        Raises:
            StoreError: If the store cannot be read.
        """
        chosen = choose(self._learning.heads(project_id))
        digests = {task: head.digest for task, head in chosen.items() if head.problem is None}
        learned = self._runs.learned(project_id)
        changed = sum(learned.get(task) != digests.get(task) for task in learned.keys() | digests.keys())
        return Standing(digests, changed, bool(learned))

    def check(self, project_id: int, *, asked: bool = False, hinted: bool = False) -> Run | None:
        """Add a run if one is due.

        While a run is in progress only a person's wish adds another: how much has changed is known when it ends, and
        this is asked again then. What has failed for good is not tried again until something changes, or a person asks.

        Args:
            project_id: The project.
            asked: Whether a person wants a run: then one annotated document is enough.
            hinted: Whether somebody unknown wants one: then it is due as soon as anything has changed, but never before
                the first run could start by itself.

        Returns:
            The run that was added; ``None`` where none is due, or one was due already.

        Raises:
            StoreError: If the store cannot be read or written.
        """
        standing = self.standing(project_id)
        documents = len(standing.digests)
        if asked:
            if documents == 0:
                _log.warning("training_without_documents", project=project_id)
                return None
            return self._add(project_id, "asked for", standing, asked=True)
        # The first run waits for nothing but enough documents, however few that are.
        wanted = 1 if hinted or not standing.learned else self._retrain_after
        if documents < self._min_documents or standing.changed < wanted:
            return None
        before = next((run for run in self._runs.runs(project_id, 5) if run.state != "due"), None)
        if before is not None and before.state == "running":
            return None
        if before is not None and before.state == "failed" and before.learned_up_to == standing.fingerprint:
            return None
        return self._add(project_id, f"{standing.changed} changed documents", standing, asked=False)

    def _add(self, project_id: int, reason: str, standing: Standing, *, asked: bool) -> Run | None:
        run = self._runs.add_run(project_id, reason, asked, standing.fingerprint, len(standing.digests))
        if run is not None:
            _log.info("run_due", project=project_id, run=run.id, reason=reason, documents=run.documents)
        return run
