"""After a promotion: what every open task says by the new version, so that the next task is the right one.

It goes in steps that can each be repeated: the beginning (find the tasks that lack the version), the parts (predict and
push), and the end (put the tasks into order, set the project's version, remove what is older). Nothing is pushed
twice, since each step asks Label Studio which tasks lack the version; nothing is forgotten, since the ticker begins
again until the store says that the version is done.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from ml_backend.errors import BackendError
from ml_backend.jobs.chunks import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.learning_store import LearningStore
from ml_backend.lineup import Lineup, is_ours
from ml_backend.logs import get_logger
from ml_backend.ordering import UNCERTAINTY, Orderer
from ml_backend.predictor import ModelSource, Reader, TaskPredictor
from ml_backend.pushing import Pusher
from ml_backend.rescoring_store import RescoringStore
from ml_backend.task_board import TaskBoard

#: Tasks in one part, at most: a few seconds with cached readings, so that more urgent jobs need not wait long. A small
#: project is shared out among workers too, in so many parts, unless they had fewer tasks than the least.
CHUNK, LEAST, PARTS = 50, 10, 12

_log = get_logger(__name__)


class VersionOutOfReachError(BackendError):
    """This process cannot load the version that others score with."""


class VersionSwitcher(ModelSource, Protocol):
    """A source of models that can be told to look again."""

    def refresh(self, project_id: int) -> Lineup[Reader]:
        """Look at the registry now, and return who answers from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Rescorer:
    """Scores open tasks again; processes may work on the parts of one rescoring.

    Attributes:
        board: Label Studio.
        models: Says who answers for a project.
        predictor: Predicts single tasks.
        memory: Keeps which files the tasks' images are, and how far a rescoring is.
        learning: Is told when a version is done.
        pusher: Does a part.
        queue: Where the end waits for its worker.
        chunks: Hands out the parts.
        keep_old: Whether the predictions of versions that no longer serve stay.
        orderer: Puts the tasks into order before the project is switched over; ``None`` leaves that to the scores.
    """

    board: TaskBoard
    models: VersionSwitcher
    predictor: TaskPredictor
    memory: RescoringStore
    learning: LearningStore
    pusher: Pusher
    queue: JobQueue
    chunks: Chunks
    keep_old: bool = False
    orderer: Orderer | None = None

    def rescore(self, project_id: int) -> str:
        """See to it that all open tasks get predictions of who serves the project now; safe to repeat.

        Returns:
            What came of it, in a word or two.

        Raises:
            BackendError: If Label Studio, the store or Redis does not answer.
        """
        lineup = self.models.refresh(project_id)
        if project_id in self.models.problems:
            # Else a version that is only out of reach would cost all tasks their predictions, twice.
            return "version out of reach"
        version = lineup.version
        if left := self.chunks.revive(project_id, version):
            return f"{left} parts left"
        lacking = sorted(
            {number for name in lineup.versions for number in self.board.open_ids(project_id, lacking=name)}
        )
        if not lacking:
            return self.finish(project_id, version)
        known = self.memory.task_images(project_id)
        rescoring = self.memory.rescoring(project_id)
        if rescoring is None or rescoring.version != version:
            self.memory.begin_rescoring(project_id, version)
        # What was read before goes first: it takes a twentieth of the time.
        order = [number for number in lacking if number in known] + [
            number for number in lacking if number not in known
        ]
        size = max(LEAST, min(CHUNK, -(-len(order) // PARTS)))
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        self.chunks.begin(project_id, version, parts)
        _log.info("rescoring_begun", project=project_id, version=version, tasks=len(order), read_before=len(known))
        return f"{len(parts)} parts"

    def rescore_chunk(self, project_id: int, version: str, chunk: str) -> str:
        """Do one part of a rescoring; safe to repeat, and by several workers.

        Raises:
            BackendError: If Label Studio, the store or Redis does not answer, or this process cannot load the version,
                for the part to be tried again, here or elsewhere.
        """
        lineup = self.models.lineup(project_id)
        if lineup.version != version:
            lineup = self.models.refresh(project_id)
        if lineup.version != version:
            if project_id in self.models.problems:
                # This process cannot load what others can: the part is left to them, or for later.
                raise VersionOutOfReachError(self.models.problems[project_id])
            self.chunks.done(project_id, version, chunk)
            return "outdated"
        with self.chunks.leased(project_id, chunk) as extend:
            if extend is None:
                return "somebody else's"
            tasks = self.chunks.tasks(project_id, version, chunk)
            pushed = sum(self.pusher.push(project_id, tasks, lineup, after_each=extend))
            self.memory.count_pushed(project_id, version, pushed)
            left = self.chunks.done(project_id, version, chunk)
        if not left:
            self.queue.enqueue_finish(project_id, version)
        return f"{pushed} pushed"

    def finish(self, project_id: int, version: str) -> str:
        """Have Label Studio show and order by a version whose predictions are all pushed; safe to repeat.

        Predictions of the version before stay until the next promotion: a page that somebody has open was begun with
        one, and Label Studio refuses what is submitted from it once the prediction is gone.

        Raises:
            BackendError: If Label Studio or the store does not answer.
        """
        lineup = self.models.lineup(project_id)
        if lineup.version != version:
            return "outdated"
        with self.chunks.leased(project_id, "end") as extend:
            return "somebody else's" if extend is None else self._finish(project_id, version, lineup)

    def _finish(self, project_id: int, version: str, lineup: Lineup[Reader]) -> str:
        project = self.board.project(project_id)
        there = self.board.version_counts(project_id)
        if version in there:
            if self.orderer is not None:
                self.orderer.order(project_id, version=version)
            if project.sampling != UNCERTAINTY:
                self.board.update_project(project_id, sampling=UNCERTAINTY)
            if project.model_version != version:
                self.board.update_project(project_id, model_version=version)
                self._delete_old(project_id, there, {*lineup.versions, project.model_version})
        self.memory.finish_rescoring(project_id, version)
        self.learning.set_rescored(project_id, version)
        _log.info("rescored", project=project_id, version=version, predictions=there.get(version, 0))
        return "finished"

    def _delete_old(self, project_id: int, there: Iterable[str], spared: Collection[str]) -> None:
        """Delete the predictions of former versions of this backend's."""
        for name in () if self.keep_old else sorted(set(there).difference(spared)):
            if is_ours(name):
                self.board.delete_version(project_id, name)
