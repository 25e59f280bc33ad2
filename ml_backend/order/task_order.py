"""Put a project's open tasks into the order in which active learning wants them annotated.

Label Studio serves the lowest score first. The strategy's order therefore becomes scores, with as few changes as
possible: those that the models gave stay wherever they rise. Tasks of a control arm, drawn by chance, stand at even
distances among the others; what people correct in them tells what the model is worth, and what the order is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol

import numpy as np

from active_learning.control import LabelsSaved, Winning, estimate_labels_saved, in_control_arm
from active_learning.ranking import rank
from active_learning.strategies import find_strategy
from ml_backend.label_studio.client import Sampling
from ml_backend.label_studio.records import Prediction
from ml_backend.observability.logs import get_logger
from ml_backend.order.candidates import Candidates, CandidateSource, History, arms
from ml_backend.order.score_assignment import scores_in_order
from ml_backend.order.task_board import TaskBoard
from ml_backend.settings import Settings
from ml_backend.store.task_scores import NOT_SHOWN, Ranked, TaskOrder, TaskScore, TaskScores

#: Tasks whose order is the strategy's exactly; those behind them follow by score, and are put into order when
#: people come near them. Each change of a score is a request to Label Studio.
HEAD = 100
#: Tasks are put into order when none was scored for this long, and again after so many annotated documents.
ORDER_QUIET = timedelta(seconds=3)
REORDER_AFTER = 10
RANDOM = "random"
UNCERTAINTY: Sampling = "Uncertainty sampling"

_log = get_logger(__name__)


class OrderBoard(TaskBoard, Protocol):
    """What putting tasks into order asks of Label Studio."""

    def predictions(self, *, project_id: int | None = None, task_id: int | None = None) -> list[Prediction]:
        """Return a task's predictions."""
        ...

    def rescore_prediction(self, prediction_id: int, score: float) -> bool:
        """Change a prediction's score; return whether it was there."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How tasks are put into order.

    Attributes:
        strategy: Name of the query strategy.
        control_share: Share of the tasks that chance puts into the order, in ``[0, 1]``.
        fallback: Whether chance takes over where active learning is measured not to win.
    """

    strategy: str
    control_share: float
    fallback: bool


class Orderer:
    """Puts tasks into order; processes may share it, one project at a time.

    Args:
        board: Label Studio.
        source: Where candidates come from.
        scores: Keeps the order.
        policy: How.
        look_again: Called with a project before its tasks are put into order, to have annotated documents seen by the
            version that scores the open ones.
        remember_config: Called with a project and its labelling configuration, so that others need not ask.
    """

    def __init__(
        self,
        board: OrderBoard,
        source: CandidateSource,
        scores: TaskScores,
        policy: Policy,
        *,
        look_again: Callable[[int, str], object] = lambda _project, _version: None,
        remember_config: Callable[[int, str], object] = lambda _project, _config: None,
    ) -> None:
        self._board = board
        self._source = source
        self._scores = scores
        self._policy = policy
        self._look_again = look_again
        self._remember_config = remember_config

    def order(self, project_id: int, *, version: str | None = None) -> TaskOrder | None:
        """Put the open tasks into order; safe to repeat.

        Args:
            project_id: The project.
            version: The version that the project is about to be switched to; otherwise the order reaches Label Studio
                only where the project's version is that of the scores.

        Returns:
            What was done; ``None`` where nothing is scored.

        Raises:
            BackendError: If Label Studio or the store does not answer.
        """
        project = self._board.project(project_id)
        self._remember_config(project_id, project.label_config)
        candidates = self._source.candidates(project_id, among=self._board.open_ids(project_id))
        if not candidates.tasks:
            return None
        self._look_again(project_id, candidates.version)
        candidates = self._source.candidates(project_id, among=[task.task_id for task in candidates.tasks])
        strategy, reason = self._strategy(candidates.history)
        placed = arrange(project_id, candidates, strategy, self._policy.control_share)
        if version is None and project.sampling == UNCERTAINTY:
            version = project.model_version
        shown = version == candidates.version
        moved = self._show(project_id, candidates, placed) if shown else NOT_SHOWN
        order = TaskOrder(
            project_id,
            candidates.version,
            strategy,
            reason,
            datetime.now(timezone.utc),
            len(placed),
            candidates.history.documents,
            moved,
        )
        self._scores.place(order, placed)
        _log.info("tasks_ordered", project=project_id, strategy=strategy, tasks=len(placed), moved=moved)
        return order

    def _strategy(self, history: History) -> tuple[str, str]:
        wanted = self._policy.strategy
        if self._policy.fallback and labels_saved(history).winning is Winning.NO:
            return RANDOM, f"{wanted} teaches no more than chance here, as the control arm shows"
        return wanted, "as set"

    def _show(self, project_id: int, candidates: Candidates, placed: Sequence[Ranked]) -> int:
        """Change scores in Label Studio until they rise in the order; return how many were changed."""
        tasks = {task.task_id: task for task in candidates.tasks}
        head = [each.task_id for each in placed[:HEAD]]
        tail = sorted((each.task_id for each in placed[HEAD:]), key=lambda task: _shown(tasks[task]))
        wanted = [*head, *tail]
        changed = scores_in_order([tasks[task].shown_score for task in wanted])
        moved = 0
        for place, score in changed.items():
            task = tasks[wanted[place]]
            number = task.prediction_id
            if number is None or not self._board.rescore_prediction(number, score):
                # Not known yet, or deleted as one of two: the task may have another.
                number = self._prediction_of(task)
                if number is None or not self._board.rescore_prediction(number, score):
                    continue
            # At once, so that what was done is known should the rest fail.
            self._scores.shown(project_id, {task.task_id: (number, score)})
            moved += 1
        return moved

    def _prediction_of(self, task: TaskScore) -> int | None:
        made = [item.id for item in self._board.predictions(task_id=task.task_id) if item.model_version == task.version]
        return max(made, default=None)


def arrange(project_id: int, candidates: Candidates, strategy: str, control_share: float) -> list[Ranked]:
    """Return the order of all candidates: the strategy's, with the control arm at even distances among the others.

    Chance depends on the project, the version and the number of annotated documents alone, so that asking twice gives
    the same order.
    """
    seed = f"{project_id} {candidates.version} {candidates.history.documents}"
    rng = np.random.default_rng(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big"))
    tasks = candidates.tasks
    drawn = np.array([in_control_arm(project_id, task.task_id, control_share) for task in tasks], dtype=bool)
    others = np.flatnonzero(~drawn)
    ranking = rank(candidates.pool.take(others), candidates.labelled, find_strategy(strategy), rng, batch=HEAD)
    ranked = [int(row) for row in others[ranking.order]]
    # The same order for ever, whatever has been annotated meanwhile.
    by_chance = sorted(np.flatnonzero(drawn), key=lambda row: _draw(project_id, tasks[row].task_id))
    rows = _woven(ranked, [int(row) for row in by_chance], control_share)
    return [
        Ranked(tasks[row].task_id, float(candidates.pool.cost[row]), place, bool(drawn[row]))
        for place, row in enumerate(rows)
    ]


def policy_of(settings: Settings) -> Policy:
    """Return the policy of the settings."""
    return Policy(
        settings.active_learning_strategy, settings.active_learning_control_share, settings.active_learning_fallback
    )


def labels_saved(history: History) -> LabelsSaved:
    """Return what the order saves over chance, measured by the control arm."""
    return estimate_labels_saved(arms(history.met), np.random.default_rng(len(history.met)))


def _woven(ranked: Sequence[int], drawn: Sequence[int], share: float) -> list[int]:
    """Put ``drawn`` at even distances among ``ranked``; what is left of either comes in the end."""
    woven: list[int] = []
    first, second = list(ranked)[::-1], list(drawn)[::-1]
    while first or second:
        turn = int((len(woven) + 1) * share) > int(len(woven) * share)
        woven.append(second.pop() if second and (turn or not first) else first.pop())
    return woven


def _draw(project_id: int, task_id: int) -> bytes:
    return hashlib.blake2b(f"draw {project_id} {task_id}".encode(), digest_size=8).digest()


def _shown(task: TaskScore) -> float:
    return task.confidence if task.shown_score is None else task.shown_score
