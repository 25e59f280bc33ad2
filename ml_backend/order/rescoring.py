"""Every open task gets a prediction of the version that serves, so that the next task is the right one.

What is to be done is derived, not remembered: Label Studio is asked which open tasks lack the version. Whatever made
them lack it (they are new, the project was just connected, the backend was down, another version was promoted), the
same steps follow, each of which can be repeated: the look (find the tasks), the parts (predict and push), and the end
(put the tasks into order, set the project's version, remove what is older). Nothing is pushed twice, since each step
asks again; nothing is forgotten, since the ticker has each project looked at now and then. Events are hints to look
sooner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Protocol

from ml_backend.errors import BackendError, LabelConfigError, NotFoundError
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Project
from ml_backend.observability.logs import get_logger
from ml_backend.order.pushing import Pusher, Turn
from ml_backend.order.task_board import TaskBoard
from ml_backend.order.task_order import UNCERTAINTY, Orderer
from ml_backend.predict.serving_models import ServingModels, is_ours
from ml_backend.predict.task_predictor import ModelSource, Reader, TaskPredictor
from ml_backend.store.annotations import ASKED, LearningStore
from ml_backend.store.coverage import LABEL_CONFIG, NOT_CONNECTED, VERSION
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_failures import TaskFailure, TaskFailures
from ml_backend.store.task_scores import TaskScores
from model.errors import say

#: Tasks in one part, at most: a few seconds with cached readings, so that more urgent jobs need not wait long. A small
#: project is shared out among workers too, in so many parts, unless they had fewer tasks than the least.
CHUNK, LEAST, PARTS = 50, 10, 12
#: So long one part may take; what is left of it goes on after the parts of other projects.
TURN_SECONDS = 15.0
#: A task that was begun so often without an end is left alone for a while: it seems to end its worker.
BEGUN_AT_MOST = 2
#: Of so many unknown projects it is found out at a time whether they are connected.
FOUND_OUT_AT_ONCE = 25
#: How soon a project is looked at again of which something is under way, or not as it should be.
SOON = timedelta(seconds=20)

_log = get_logger(__name__)


class VersionOutOfReachError(BackendError):
    """This process cannot load the version that others score with."""


class VersionSwitcher(ModelSource, Protocol):
    """A source of models that can be told to look again."""

    def refresh(self, project_id: int) -> ServingModels[Reader]:
        """Look at the registry now, and return who answers from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Rescorer:
    """Predicts open tasks; processes may work on the parts of one project.

    Attributes:
        board: Label Studio.
        models: Says who answers for a project.
        predictor: Predicts single tasks.
        memory: Keeps which files the tasks' images are, and how far a project is.
        learning: Keeps when a project is looked at next, and is told when a version is done.
        pusher: Does a part.
        queue: Where the end waits for its worker.
        chunks: Hands out the parts.
        failures: Tasks that could not be predicted.
        scores: Knows the order in which tasks are served now; ``None`` where nobody keeps it.
        backend_url: This backend's address as Label Studio knows it.
        look_seconds: How often a project is looked at of which nothing is to be done.
        keep_old: Whether the predictions of versions that no longer serve stay.
        orderer: Puts the tasks into order before the project is switched over; ``None`` leaves that to the scores.
        remember_config: Called with a project and its labelling configuration before its tasks are predicted: how its
            fields are named follows from it.
        clock: Monotonic seconds.
        claims: The moments that looks have set at their beginning, by project.
        found_out: When it was found out of projects that nobody told of whether they are connected.
    """

    board: TaskBoard
    models: VersionSwitcher
    predictor: TaskPredictor
    memory: RescoringStore
    learning: LearningStore
    pusher: Pusher
    queue: JobQueue
    chunks: Chunks
    failures: TaskFailures
    scores: TaskScores | None = None
    backend_url: str = ""
    look_seconds: float = 300.0
    keep_old: bool = False
    orderer: Orderer | None = None
    remember_config: Callable[[int, str], object] = lambda _project, _config: None
    clock: Callable[[], float] = time.monotonic
    claims: dict[int, datetime] = field(default_factory=dict)
    found_out: dict[int, float] = field(default_factory=dict)

    def rescore(self, project_id: int) -> str:
        """Look whether all open tasks have predictions of the version that serves, and have the others predicted.

        Safe to repeat.

        Returns:
            What came of it, in a word or two.

        Raises:
            BackendError: If Label Studio, the store or Redis does not answer.
        """
        self._claim(project_id)
        serving = self.models.refresh(project_id)
        if project_id in self.models.problems:
            # Else a version that is only out of reach would cost all tasks their predictions, twice.
            self._hold(project_id, "", VERSION, self.models.problems[project_id])
            return "version out of reach"
        version = serving.version
        state = self.learning.project(project_id)
        done = None if state is None else state.rescored_version
        asked = done == ASKED
        if not asked and not self._is_connected(project_id):
            # Whatever waits of it is forgotten, too.
            self.chunks.drop(project_id, version)
            self._hold(project_id, version, NOT_CONNECTED, say("The project is not connected to this backend."))
            return "not connected"
        if left := self.chunks.feed(project_id, version):
            self._look_again(project_id, SOON)
            return f"{left} parts left"
        lacking = self._lacking(project_id, serving)
        if asked:
            # A person wants it now: what failed is tried at once.
            self.failures.clear(project_id)
        failures = self._standing_failures(project_id, lacking)
        open_tasks = self.board.open_count(project_id)
        project = self.board.project(project_id)
        try:
            parse_label_config(project.label_config)
        except LabelConfigError as error:
            self._hold(project_id, version, LABEL_CONFIG, error.said, open_tasks=open_tasks, lacking=len(lacking))
            return "labelling configuration unusable"
        self.remember_config(project_id, project.label_config)
        self.memory.note_checked(project_id, version, open_tasks=open_tasks, lacking=len(lacking))
        now = datetime.now(timezone.utc)
        to_do = [number for number in lacking if number not in failures or failures[number].retry_at <= now]
        if to_do:
            return self._begin(project_id, version, to_do, failures)
        self._look_again(project_id, timedelta(seconds=self.look_seconds), failures)
        if done == version and not self._is_unordered(project, version):
            return "nothing lacking"
        return self.finish(project_id, version)

    def rescore_chunk(self, project_id: int, version: str, chunk: str) -> str:
        """Do one part, as far as there is time; safe to repeat, and by several workers.

        Raises:
            BackendError: If Label Studio, the store or Redis does not answer, or this process cannot load the version,
                for the part to be tried again, here or elsewhere.
        """
        serving = self.models.serving(project_id)
        if serving.version != version:
            serving = self.models.refresh(project_id)
        if serving.version != version:
            if project_id in self.models.problems:
                # This process cannot load what others can: the part is left to them, or for later.
                raise VersionOutOfReachError(self.models.problems[project_id])
            self.chunks.drop(project_id, version)
            return "outdated"
        with self.chunks.leased(project_id, chunk) as extend:
            if extend is None:
                return "somebody else's"
            tasks = self.chunks.tasks(project_id, version, chunk)
            pushed = self.pusher.push(project_id, tasks, serving, turn=self._turn(project_id, extend))
            self.memory.count_pushed(project_id, version, pushed.predictions)
            if pushed.predictions:
                self._show_soon(project_id, version)
            left = self.chunks.done(project_id, version, chunk, pushed.left)
        if tasks and not left:
            self.queue.enqueue_finish(project_id, version)
        said = f"{pushed.predictions} pushed"
        said += f", {pushed.failed} failed" if pushed.failed else ""
        return said + (f", {len(pushed.left)} left" if pushed.left else "")

    def finish(self, project_id: int, version: str) -> str:
        """Have Label Studio show and order by a version whose predictions are all pushed; safe to repeat.

        Predictions of the version before stay until the next promotion: a page that somebody has open was begun with
        one, and Label Studio refuses what is submitted from it once the prediction is gone.

        Raises:
            BackendError: If Label Studio or the store does not answer.
        """
        serving = self.models.serving(project_id)
        if serving.version != version:
            return "outdated"
        with self.chunks.leased(project_id, "end") as extend:
            return "somebody else's" if extend is None else self._finish(project_id, version, serving)

    def discover(self) -> list[int]:
        """Find the projects that people have connected to this backend without its having been told.

        Returns:
            Those that were not known yet; from now on they are looked after.

        Raises:
            BackendError: If Label Studio or the store does not answer.
        """
        known = {state.id for state in self.learning.projects()}
        found = []
        unknown = [project for project in self.board.projects() if project.id not in known]
        # The newest first, then those whose turn was longest ago.
        unknown.sort(key=lambda project: (self.found_out.get(project.id, -1.0), -project.id))
        for project in unknown[:FOUND_OUT_AT_ONCE]:
            self.found_out[project.id] = self.clock()
            try:
                backends = self.board.ml_backends(project.id)
            except NotFoundError:
                continue
            if any(_same(backend.url, self.backend_url) for backend in backends) and self.learning.add(project.id):
                _log.info("project_found", project=project.id)
                found.append(project.id)
        return found

    def _turn(self, project_id: int, extend: Callable[[], object]) -> Turn:
        deadline = self.clock() + TURN_SECONDS

        def fits() -> bool:
            extend()
            return self.clock() < deadline

        def begin(task_id: int) -> bool:
            extend()
            if self.chunks.begun(project_id, task_id) <= BEGUN_AT_MOST:
                return True
            self.chunks.condemned(project_id, task_id)
            return False

        return Turn(fits, begin, lambda task_id: self.chunks.ended(project_id, task_id))

    def _is_connected(self, project_id: int) -> bool:
        """Ask Label Studio whether a project is connected to this backend, under whatever address.

        Asked for its backends, Label Studio asks each of them for its version: one of ours is told by that too.
        """
        try:
            backends = self.board.ml_backends(project_id)
        except NotFoundError:
            return False
        return any(_same(backend.url, self.backend_url) or is_ours(backend.model_version) for backend in backends)

    def _hold(
        self, project_id: int, version: str, problem: str, text: str, *, open_tasks: int = 0, lacking: int = 0
    ) -> None:
        """Note why nothing of a project can be predicted; it is looked at again soon at first, later more rarely."""
        before = self.memory.rescoring(project_id)
        version = version or (before.version if before is not None else "")
        if before is not None and not lacking and problem == VERSION:
            open_tasks, lacking = before.open_tasks, before.lacking
        noted = self.memory.note_checked(
            project_id, version, open_tasks=open_tasks, lacking=lacking, problem=problem, problem_text=text
        )
        since = datetime.now(timezone.utc) - noted.started_at
        self._look_again(project_id, max(SOON, min(since, timedelta(seconds=self.look_seconds))))

    def _look_again(self, project_id: int, wait: timedelta, failures: Mapping[int, TaskFailure] | None = None) -> None:
        now = datetime.now(timezone.utc)
        moments = [now + wait, *(each.retry_at for each in (failures or {}).values())]
        at = max(now + timedelta(seconds=1), min(moments))
        self.learning.predict_next(project_id, at, claimed=self.claims[project_id])

    def _claim(self, project_id: int) -> None:
        """Put the next look off for a moment; who wants one meanwhile is not overwritten at the end of this one."""
        self.claims[project_id] = datetime.now(timezone.utc) + SOON
        self.learning.predict_again(project_id, self.claims[project_id])

    def _lacking(self, project_id: int, serving: ServingModels[Reader]) -> list[int]:
        return sorted({number for name in serving.versions for number in self.board.open_ids(project_id, lacking=name)})

    def _standing_failures(self, project_id: int, lacking: Sequence[int]) -> dict[int, TaskFailure]:
        """Return the failures of tasks that still lack a prediction; the others are over."""
        failures = self.failures.of(project_id)
        if over := failures.keys() - set(lacking):
            self.failures.clear(project_id, over)
        return {number: failure for number, failure in failures.items() if number not in over}

    def _begin(self, project_id: int, version: str, to_do: Sequence[int], failures: Mapping[int, TaskFailure]) -> str:
        rescoring = self.memory.rescoring(project_id)
        if rescoring is None or rescoring.version != version or rescoring.finished_at is not None:
            self.memory.begin_rescoring(project_id, version)
        known = self.memory.task_images(project_id)
        places = {} if self.scores is None else self.scores.places(project_id)

        def turn(number: int) -> tuple[bool, float, bool, int]:
            # Those that people get next by the present order; then what was read before, which takes a twentieth of
            # the time; then in the order of their numbers, which is Label Studio's own. What failed before comes last.
            return number in failures, places.get(number, float("inf")), number not in known, number

        order = sorted(to_do, key=turn)
        size = max(LEAST, min(CHUNK, -(-len(order) // PARTS)))
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        self._look_again(project_id, SOON)
        self.chunks.begin(project_id, version, parts)
        _log.info("rescoring_begun", project=project_id, version=version, tasks=len(order), read_before=len(known))
        return f"{len(parts)} parts"

    def _is_unordered(self, project: Project, version: str) -> bool:
        """Tell whether Label Studio ignores all scores: its version is one that no prediction has.

        Connecting by hand stores the backend's title there. A version that other predictions have is a person's choice.
        """
        if project.model_version == version:
            return False
        there = self.board.version_counts(project.id)
        return version in there and project.model_version not in there

    def _show_soon(self, project_id: int, version: str) -> None:
        """Order by the first predictions of a project at once: with a version that none has, nothing is lost."""
        project = self.board.project(project_id)
        if self._is_unordered(project, version):
            if project.sampling != UNCERTAINTY:
                self.board.update_project(project_id, sampling=UNCERTAINTY)
            self.board.update_project(project_id, model_version=version)

    def _finish(self, project_id: int, version: str, serving: ServingModels[Reader]) -> str:
        project = self.board.project(project_id)
        there = self.board.version_counts(project_id)
        if version in there:
            if self.orderer is not None:
                self.orderer.order(project_id, version=version)
            if project.sampling != UNCERTAINTY:
                self.board.update_project(project_id, sampling=UNCERTAINTY)
            if project.model_version != version:
                self.board.update_project(project_id, model_version=version)
                self._delete_old(project_id, there, {*serving.versions, project.model_version})
        self.memory.finish_rescoring(project_id, version)
        self.learning.set_rescored(project_id, version)
        _log.info("rescored", project=project_id, version=version, predictions=there.get(version, 0))
        return "finished"

    def _delete_old(self, project_id: int, there: Iterable[str], spared: Collection[str]) -> None:
        """Delete the predictions of previous versions of this backend's."""
        for name in () if self.keep_old else sorted(set(there).difference(spared)):
            if is_ours(name):
                self.board.delete_version(project_id, name)


def _same(url: str, other: str) -> bool:
    return bool(other) and url.rstrip("/") == other.rstrip("/")
