"""Predicting tasks and pushing what they lack."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from rq.timeouts import BaseTimeoutException

from ml_backend.errors import (
    BackendError,
    ImageFetchError,
    LabelStudioError,
    LabelStudioUnreachableError,
    NotFoundError,
    TokenRefusedError,
)
from ml_backend.label_studio.label_config import LabelConfig, PageId, parse_label_config
from ml_backend.label_studio.records import Prediction, Task
from ml_backend.observability.logs import get_logger
from ml_backend.order.task_board import TaskBoard
from ml_backend.predict.service import reason_of
from ml_backend.predict.serving_models import ServingModels
from ml_backend.predict.task_predictor import NoImageError, Reader, TaskPredictor, TimeUpError, TooManyPagesError
from ml_backend.store.rescorings import RescoringStore, TaskImage
from ml_backend.store.task_failures import TaskFailures
from ml_backend.store.task_scores import TaskScores
from model.errors import ModelError, said_by, say

#: Tasks whose predictions are pushed together: Label Studio is asked once for all of them whether they still lack them.
TOGETHER = 4
#: Such groups that wait to be pushed, at most.
PUSHED_BEHIND = 2

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of some tasks.

    Attributes:
        predictions: How many predictions were pushed.
        left: The tasks for which there was no time, in their order.
        failed: How many tasks could not be predicted.
    """

    predictions: int = 0
    left: tuple[int, ...] = ()
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One worker's turn: how long it may take, and what is told of each task.

    Attributes:
        fits: Whether there is time to begin one more task, or page.
        begin: Called before each task; returns whether it may be begun. One that may not has killed workers before.
        end: Called after each task, whatever came of it.
    """

    fits: Callable[[], bool] = lambda: True
    begin: Callable[[int], bool] = lambda _task: True
    end: Callable[[int], object] = lambda _task: None


@dataclass(slots=True)
class _Work:
    """What all tasks of one call have in common, and what came of them so far."""

    project_id: int
    config: LabelConfig
    serving: ServingModels[Reader]
    lacks: Mapping[int, Collection[str]]
    failed_before: Collection[int] = ()
    predictions: int = 0
    failed: int = 0
    group: list[list[Prediction]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pusher:
    """Pushes what tasks lack; threads may share it.

    Attributes:
        board: Label Studio.
        predictor: Predicts single tasks.
        memory: Keeps which files the tasks' images are.
        failures: Is told of tasks that cannot be predicted.
        scores: Is told which prediction is each task's; ``None`` tells nobody.
        being_answered: Returns those of some tasks whose predictions Label Studio is about to get in answer to a
            request of its own. Nothing is pushed for them; the next look sees whether they still lack one.
    """

    board: TaskBoard
    predictor: TaskPredictor
    memory: RescoringStore
    failures: TaskFailures
    scores: TaskScores | None = None
    being_answered: Callable[[Sequence[int]], Collection[int]] = lambda _tasks: ()

    def push(
        self, project_id: int, task_ids: Sequence[int], serving: ServingModels[Reader], *, turn: Turn | None = None
    ) -> Pushed:
        """Push what is lacking, task after task in the given order.

        What is wrong with one task is noted, and does not touch the others. At least one task is begun, or one page of
        it read, whatever the time.

        Raises:
            LabelConfigError: If the project's labelling configuration cannot be used.
            BackendError: If Label Studio does not answer, or the store cannot be read or written.
        """
        turn = turn or Turn()
        config = parse_label_config(self.board.project(project_id).label_config)
        known = self.memory.task_images(project_id, task_ids)
        tasks: dict[int, Task] = {}
        lacks: dict[int, set[str]] = {}
        for name in serving.versions:
            for task in self.board.open_tasks(project_id, task_ids, lacking=name):
                tasks[task.id] = task
                lacks.setdefault(task.id, set()).add(name)
        work = _Work(project_id, config, serving, lacks, frozenset(self.failures.of(project_id)))
        waiting = deque(number for number in task_ids if number in tasks)
        begun = False
        # One thread pushes while this one names the fields of the next document; more would meet at Label Studio's
        # database, which by default is SQLite.
        with ThreadPoolExecutor(1, thread_name_prefix="push") as pusher:
            under_way: deque[Future[int]] = deque()
            while waiting and (not begun or turn.fits()):
                number = waiting.popleft()
                done = self._predict(work, tasks[number], known.get(number, {}), turn, is_first=not begun)
                begun = True
                if not done:
                    # A long document goes on in the next turn.
                    waiting.appendleft(number)
                    break
                if len(work.group) >= TOGETHER:
                    under_way.append(pusher.submit(self._create, work, work.group))
                    work.group = []
                while len(under_way) > PUSHED_BEHIND:
                    work.predictions += under_way.popleft().result()
            if work.group:
                under_way.append(pusher.submit(self._create, work, work.group))
            for group in under_way:
                work.predictions += group.result()
        return Pushed(work.predictions, tuple(waiting), work.failed)

    def _predict(
        self, work: _Work, task: Task, known: Mapping[PageId, TaskImage], turn: Turn, *, is_first: bool
    ) -> bool:
        """Predict one task and put the predictions into the group; return whether it is done with."""
        if not turn.begin(task.id):
            self._fail(work, task, "crash", say("The worker was ended again and again while it worked on this task."))
            return True
        try:

            def fits(fetched: int) -> bool:
                # One page at least, else a long document would never come to its end.
                return (is_first and fetched == 0) or turn.fits()

            made = list(self._predictions(work, task, known, fits))
            if made:
                work.group.append(made)
        except TimeUpError as error:
            _log.info("task_goes_on", task=task.id, pages=error.pages, read=error.done)
            return False
        except (LabelStudioUnreachableError, TokenRefusedError):
            # Not the task's fault: the whole part is tried again.
            raise
        except (ModelError, ImageFetchError, NoImageError, TooManyPagesError, LabelStudioError) as error:
            self._fail(work, task, reason_of(error), _message(error))
        except (BackendError, BaseTimeoutException):
            raise
        except Exception as error:  # noqa: BLE001 - one task that cannot be worked on must not hold up all others
            _log.exception("task_failed_unexpectedly", task=task.id)
            self._fail(work, task, "unexpected", say("{kind}: see the worker's log.", kind=type(error).__name__))
        finally:
            turn.end(task.id)
        return True

    def _create(self, work: _Work, group: Sequence[Sequence[Prediction]]) -> int:
        """Push the predictions of some tasks that still lack them, and note which the order goes by.

        Since they were predicted, a person may have annotated a task, or opened it, so that Label Studio asked for a
        prediction itself.
        """
        answered = self.being_answered([made[0].task for made in group])
        numbers = [made[0].task for made in group if made[0].task not in answered]
        still = {
            name: {task.id for task in self.board.open_tasks(work.project_id, numbers, lacking=name)}
            for name in (work.serving.versions if numbers else ())
        }
        pushed, over = 0, []
        for made in group:
            wanted = [item for item in made if item.task in still.get(item.model_version, ())]
            if not wanted:
                continue
            try:
                stored = self.board.create_predictions(wanted)
            except (LabelStudioUnreachableError, TokenRefusedError):
                raise
            except NotFoundError:
                continue  # the task was deleted
            except LabelStudioError as error:
                self._note(work.project_id, wanted[0].task, "label_studio", _message(error))
                continue
            pushed += len(stored)
            over += [wanted[0].task] if wanted[0].task in work.failed_before else []
            if self.scores is not None:
                shown = {
                    item.task: (number, item.score)
                    for number, item in zip(stored, wanted, strict=True)
                    if item.model_version == work.serving.version
                }
                self.scores.shown(work.project_id, shown)
        if over:
            self.failures.clear(work.project_id, over)
        return pushed

    def _predictions(
        self, work: _Work, task: Task, known: Mapping[PageId, TaskImage], fits: Callable[[int], bool]
    ) -> Iterator[Prediction]:
        project_id = work.serving.project_id or task.project
        for reader, version in work.serving.of_task(task.id):
            documents = self.predictor.read_again(task, work.config, reader, known, project_id, fits=fits)
            if version in work.lacks[task.id]:
                # No cluster: Label Studio would take clusters in turn, where the order sees to variety itself.
                prediction = Prediction(task=task.id, **self.predictor.convert(documents, task, work.config, version))
                if version == work.serving.version:
                    self.predictor.note(documents, task, work.serving, prediction.score or 0.0)
                yield prediction

    def _fail(self, work: _Work, task: Task, reason: str, message: str) -> None:
        work.failed += 1
        self._note(work.project_id, task.id, reason, message)

    def _note(self, project_id: int, task_id: int, reason: str, message: str) -> None:
        failure = self.failures.note(project_id, task_id, reason, message)
        _log.warning(
            "task_without_prediction",
            task=task_id,
            reason=reason,
            error=str(message),
            tries=failure.tries,
            retry_at=failure.retry_at.isoformat(timespec="seconds"),
        )


def _message(error: BackendError | ModelError) -> str:
    """Return the sentence of an error, with its parts where it was raised as one."""
    return error.said if isinstance(error, BackendError) else said_by(error)
