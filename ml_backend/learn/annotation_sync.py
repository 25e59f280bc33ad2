"""Makes the store's annotations equal to Label Studio's.

Events say only that something has happened; some never arrive, and others arrive twice or late. So what they say is not
believed: they are a reason to ask Label Studio, which is asked for everything that has changed since it was last asked,
and every now and then for the numbers of all annotations, since nothing tells what was deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, Protocol

from ml_backend.errors import LabelConfigError, NotFoundError
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.outlines import TooComplexError
from ml_backend.label_studio.records import Annotation, Project, Task
from ml_backend.label_studio.regions import TOO_MANY, read_result
from ml_backend.learn.annotation_diff import diff
from ml_backend.learn.quarantine import QUARANTINED, TOO_DEEP, nested_too_deep
from ml_backend.learn.source_predictions import Origins
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import START_TRAINING, TRAINING_HINT, EventHead, Store
from ml_backend.store.records import Correction, StoredAnnotation
from ml_backend.store.runs import Run

#: Asking goes back as far behind the latest change seen: what was changed before may have become visible after it.
OVERLAP = timedelta(seconds=60)
#: Tasks that are written to the store at a time.
BATCH = 100
#: Longest model version that the store keeps; ours are far shorter.
MAX_VERSION = 200
#: From as many tasks on, that are to be looked at again, all are.
MANY = 100

_DELETIONS = frozenset({"ANNOTATIONS_DELETED", "TASKS_DELETED"})

_log = get_logger(__name__)


class AnnotationSource(Protocol):
    """What is asked of Label Studio; :class:`ml_backend.label_studio.client.LabelStudio` is one.

    Every method raises :class:`ml_backend.errors.BackendError` if Label Studio does not answer or refuses.
    """

    def project(self, project_id: int) -> Project:
        """Return one project."""
        ...

    def task(self, task_id: int) -> Task:
        """Return one task with its annotations and predictions."""
        ...

    def annotated_tasks(self, project_id: int, *, since: str | None = None) -> Iterator[Task]:
        """Go through the annotated tasks that have changed since a moment, with annotations and predictions."""
        ...

    def annotation_ids(self, project_id: int) -> dict[int, int]:
        """Return the task of each annotation, by the annotation's number."""
        ...


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync has found.

    Attributes:
        changed: Annotations that are new, or other than they were.
        deleted: Annotations that are gone.
        events: Events that this answers.
        compared: Whether the numbers of all annotations were compared.
        run: The run that became due.
    """

    changed: int
    deleted: int
    events: int
    compared: bool
    run: Run | None


class Synchroniser:
    """Brings annotations over; one for all projects, safe to share between threads.

    Args:
        source: Label Studio.
        events: Where webhooks are written down.
        learning: Where annotations are kept.
        due: Decides whether to train on them.
        compare_seconds: How long deletions of which no event told may stay unnoticed.
    """

    def __init__(
        self,
        source: AnnotationSource,
        events: Store,
        learning: LearningStore,
        due: TrainingTrigger,
        *,
        compare_seconds: float,
    ) -> None:
        self._source = source
        self._events = events
        self._learning = learning
        self._due = due
        self._compare_after = timedelta(seconds=compare_seconds)

    def sync(self, project_id: int, *, compare: bool = False) -> SyncReport:
        """Make a project's annotations equal to Label Studio's; safe to repeat, and to break off at any moment.

        Args:
            project_id: The project.
            compare: Compare all numbers even if that was done a short while ago.

        Raises:
            BackendError: If Label Studio does not answer or refuses, or the store cannot be read or written. What was
                brought over stays, and the events remain to be answered.
        """
        # Before Label Studio is asked: what comes later may not be in its answer.
        started = datetime.now(timezone.utc)
        pending = self._events.pending_heads(project_id)
        actions = {event.action for event in pending}
        compare = compare or bool(actions & _DELETIONS) or not pending or self._is_due_for_comparison(project_id)
        project = self._project(project_id, is_expected=bool(pending))
        if project is None and self._learning.forget_unseen(project_id):
            # A sender of events can make numbers up; none of them becomes a project that is synced for ever.
            self._events.mark_processed(event.id for event in pending)
            _log.warning("project_unknown", project=project_id, events=len(pending))
            return SyncReport(0, 0, len(pending), compare, None)
        if project is None:
            gone = self._learning.live_ids(project_id)
            self._learning.mark_deleted(gone)
            changed, deleted, cursor, compare = 0, len(gone), None, True
        else:
            changed, deleted, cursor = self._bring_over(project, pending, compare=compare)
        self._learning.note_synced(project_id, cursor=_no_later(cursor, started), compared=compare)
        run = self._due.check(project_id, asked=START_TRAINING in actions, hinted=TRAINING_HINT in actions)
        self._events.mark_processed(event.id for event in pending)
        report = SyncReport(changed, deleted, len(pending), compare, run)
        _log.info(
            "project_synced",
            project=project_id,
            changed=changed,
            deleted=deleted,
            events=len(pending),
            last_event=pending[-1].id if pending else None,
            compared=compare,
        )
        return report

    def _is_due_for_comparison(self, project_id: int) -> bool:
        state = self._learning.project(project_id)
        if state is None or state.compared_at is None or state.sync_asked:
            return True
        return datetime.now(timezone.utc) - state.compared_at >= self._compare_after

    def _project(self, project_id: int, *, is_expected: bool) -> Project | None:
        """Return the project; ``None`` where it is gone, and its annotations with it.

        Raises:
            NotFoundError: If it was never heard of, or if it is not Label Studio that says so.
        """
        try:
            return self._source.project(project_id)
        except NotFoundError as error:
            # A hint says that the answer is some other server's: nothing follows from that.
            if error.hint or not (is_expected or self._learning.project(project_id)):
                raise
            return None

    def _bring_over(
        self, project: Project, pending: Sequence[EventHead], *, compare: bool
    ) -> tuple[int, int, str | None]:
        """Return how many annotations have changed, how many are gone, and the latest change seen."""
        config, project_id = _config_of(project), project.id
        state = self._learning.project(project_id)
        cursor = state.cursor if state else None
        origins = Origins(self._events, self._learning, pending)
        tasks = self._source.annotated_tasks(project_id, since=_before(cursor))
        changed, cursor = self._save(tasks, project_id, config, origins, cursor)
        if not compare:
            return changed, 0, cursor
        # Known before the question, so that what is annotated meanwhile is not taken for deleted.
        known = self._learning.live_ids(project_id)
        standing = self._source.annotation_ids(project_id)
        missed = {task for number, task in standing.items() if number not in known}
        if missed:
            more, cursor = self._save(self._tasks(project_id, missed), project_id, config, origins, cursor)
            changed += more
        gone = known.keys() - standing.keys()
        self._learning.mark_deleted(gone)
        if isinstance(config, LabelConfig):
            # Somebody may have fixed the configuration, and then they are of use.
            unusable = self._learning.annotations(self._learning.unusable(project_id))
            again = (look_at(each, config) for each in unusable if each.problem not in QUARANTINED)
            changed += self._learning.save(again)
        return changed, len(gone), cursor

    def _tasks(self, project_id: int, task_ids: set[int]) -> Iterator[Task]:
        if len(task_ids) >= MANY:
            yield from self._source.annotated_tasks(project_id)
            return
        for task_id in sorted(task_ids):
            try:
                yield self._source.task(task_id)
            except NotFoundError:
                continue

    def _save(
        self,
        tasks: Iterable[Task],
        project_id: int,
        config: LabelConfig | LabelConfigError,
        origins: Origins,
        cursor: str | None,
    ) -> tuple[int, str | None]:
        """Keep the annotations of tasks; return how many have changed, and the latest change seen."""
        rest, changed = iter(tasks), 0
        while batch := list(islice(rest, BATCH)):
            started = origins.of(batch)
            records = [
                look_at(_stored(annotation, task, project_id, started.get(annotation.id)), config)
                for task in batch
                for annotation in task.annotations
            ]
            changed += self._learning.save(records)
            latest = max((a.updated_at for task in batch for a in task.annotations), default=None)
            if latest is not None and (cursor is None or _moment(latest) > _moment(cursor)):
                cursor = latest
        return changed, cursor


def _stored(
    annotation: Annotation, task: Task, project_id: int, prediction: Mapping[str, Any] | None
) -> StoredAnnotation:
    return StoredAnnotation(
        id=annotation.id,
        project_id=project_id,
        task_id=task.id,
        completed_by=annotation.completed_by,
        result=annotation.result,
        was_cancelled=annotation.was_cancelled,
        ground_truth=annotation.ground_truth,
        created_at=_moment(annotation.created_at or annotation.updated_at),
        updated_at=_moment(annotation.updated_at),
        task_data=task.data,
        prediction=prediction,
        model_version=str(prediction["model_version"])[:MAX_VERSION] if prediction else None,
    )


def look_at(
    annotation: StoredAnnotation, config: LabelConfig | LabelConfigError
) -> tuple[StoredAnnotation, tuple[Correction, ...]]:
    """Return an annotation with its problem and its correction cost, and what the person has changed."""
    if nested_too_deep(annotation.result, annotation.prediction):
        return replace(annotation, result=[], prediction=None, problem=TOO_DEEP, cost=None), ()
    if nested_too_deep(annotation.task_data):
        return replace(annotation, task_data={}, problem=TOO_DEEP, cost=None), ()
    if isinstance(config, LabelConfigError):
        return replace(annotation, problem=config.message, cost=None), ()
    own = config.for_task(annotation.task_data)
    problem = problem_of(annotation.result, own)
    if annotation.prediction is None or annotation.was_cancelled:
        return replace(annotation, problem=problem, cost=None), ()
    if problem == TOO_MANY:
        return replace(annotation, problem=problem, cost=None), ()
    try:
        corrections = diff(annotation.prediction["result"], annotation.result, own)
    except TooComplexError as error:
        _log.warning("annotation_quarantined", annotation=annotation.id, reason=str(error))
        return replace(annotation, problem=str(error), cost=None), ()
    return replace(annotation, problem=problem, cost=len(corrections)), corrections


def problem_of(result: Iterable[Mapping[str, Any]], config: LabelConfig) -> str | None:
    """Return why nothing can be learned from a result; ``None`` where something can."""
    read = read_result(result, config)
    # Where only the image's size is missing, the image says it.
    if read.regions or any(skipped.needs_size for skipped in read.skipped):
        return None
    if not read.skipped:
        return "It has no region on the image."
    if read.skipped[0].reason == TOO_MANY:
        return TOO_MANY
    return "None of its regions can be used: " + "; ".join(sorted({skipped.reason for skipped in read.skipped})) + "."


def _config_of(project: Project) -> LabelConfig | LabelConfigError:
    """Read a project's configuration; annotations are kept also where it cannot be used."""
    try:
        return parse_label_config(project.label_config)
    except LabelConfigError as error:
        _log.warning("label_config_unusable", project=project.id, error=str(error))
        return error


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _no_later(cursor: str | None, started: datetime) -> str | None:
    """Return the moment up to which everything was seen.

    Going through many tasks takes minutes: the latest change seen may be later than one on a task passed long before.
    """
    return cursor if cursor is None or _moment(cursor) <= started else started.isoformat()


def _before(cursor: str | None) -> str | None:
    """Return the moment to ask from, as Label Studio reads it."""
    if cursor is None:
        return None
    return (_moment(cursor) - OVERLAP).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
