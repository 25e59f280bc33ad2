"""After a sync the store holds what Label Studio holds, whatever events came, and in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import update

from ml_backend import tasks as job
from ml_backend.errors import LabelStudioUnreachableError, NotFoundError
from ml_backend.label_studio.records import Annotation, Prediction, Project, Task
from ml_backend.learn.annotation_sync import Synchroniser, SyncReport
from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import writing
from ml_backend.store.events import Store
from ml_backend.store.records import Correction, StoredAnnotation, choose
from ml_backend.store.runs import RunStore
from ml_backend.store.tables import ProjectRow
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.label_studio.results import region

START = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
NAME = region("a", (100, 50, 300, 80), "Maria Petrova", "NAME")
MAIL = region("b", (100, 100, 300, 130), "maria@northwind.example", "EMAIL")


class AnnotatedProject:
    """A project in Label Studio: its tasks, each with a clock of its own, as people work on them."""

    def __init__(self) -> None:
        self.tasks: dict[int, Task] = {}
        self.changed: dict[int, str] = {}
        self.label_config = RECTANGLES
        self.gone: bool | NotFoundError = False
        self.fails_after: int | None = None
        self.asked: list[str] = []
        self._now = START

    def tick(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.isoformat().replace("+00:00", "Z")

    def add_task(self, number: int, *predictions: Prediction) -> None:
        self.tasks[number] = Task(number, 1, {"image": f"/data/{number}.png"}, False, (), predictions)

    def annotate(self, task: int, number: int, result: list[dict[str, object]], **more: object) -> None:
        now = self.tick()
        created = next((a.created_at for a in self.tasks[task].annotations if a.id == number), now)
        made = replace(Annotation(number, task, result, False, now, None, 7, False, created), **more)  # type: ignore[arg-type]
        others = [annotation for annotation in self.tasks[task].annotations if annotation.id != number]
        self.tasks[task] = replace(self.tasks[task], annotations=(*others, made))
        self.changed[task] = now

    def delete(self, task: int, number: int) -> None:
        kept = tuple(annotation for annotation in self.tasks[task].annotations if annotation.id != number)
        self.tasks[task] = replace(self.tasks[task], annotations=kept)

    # What the backend asks

    def project(self, project_id: int) -> Project:
        if self.gone:
            raise self.gone if isinstance(self.gone, NotFoundError) else NotFoundError("There is no such project.")
        return Project(project_id, "cards", self.label_config, "", "", len(self.tasks))

    def task(self, task_id: int) -> Task:
        self.asked.append(f"task {task_id}")
        return self.tasks[task_id]

    def annotated_tasks(self, project_id: int, *, since: str | None = None) -> Iterator[Task]:
        self.asked.append(f"since {since}" if since else "all")
        for count, number in enumerate(sorted(self.tasks)):
            if self.fails_after is not None and count >= self.fails_after:
                raise LabelStudioUnreachableError("Label Studio does not answer.")
            if self.tasks[number].annotations and (since is None or self.changed[number] >= since):
                yield self.tasks[number]

    def annotation_ids(self, project_id: int) -> dict[int, int]:
        self.asked.append("ids")
        return {a.id: task.id for task in self.tasks.values() for a in task.annotations}


class Bench:
    """The store beside it, and the synchroniser between the two."""

    def __init__(self, store_url: str) -> None:
        self.label_studio = AnnotatedProject()
        self.events = Store(store_url)
        self.learning, self.runs = LearningStore(self.events.engine), RunStore(self.events.engine)
        due = TrainingTrigger(self.learning, self.runs, min_documents=2, retrain_after=2)
        self.synchroniser = Synchroniser(self.label_studio, self.events, self.learning, due, compare_seconds=300)

    def sync(self) -> SyncReport:
        return self.synchroniser.sync(1)

    def hear(self, action: str, *annotations: int, **payload: object) -> None:
        self.events.add_event(
            {"action": action, "n": annotations, **payload}, action=action, project_id=1, annotation_ids=annotations
        )

    def kept(self, number: int) -> StoredAnnotation:
        (found,) = self.learning.annotations([number])
        return found

    def counting(self) -> dict[int, int]:
        return {task: head.id for task, head in choose(self.learning.heads(1)).items()}


@pytest.fixture
def bench(store_url: str) -> Bench:
    made = Bench(store_url)
    for task in (1, 2, 3):
        made.label_studio.add_task(task)
    return made


def test_annotations_that_no_event_told_of_are_brought_over(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.label_studio.annotate(2, 20, NAME + MAIL, ground_truth=True)
    report = bench.sync()
    assert (report.changed, report.deleted, report.compared) == (2, 0, True)
    kept = bench.kept(20)
    assert (kept.task_id, kept.result, kept.completed_by, kept.ground_truth) == (2, NAME + MAIL, 7, True)
    assert kept.task_data == {"image": "/data/2.png"}
    assert (kept.prediction, kept.cost, kept.problem) == (None, None, None)
    assert bench.sync().changed == 0


def test_only_what_has_changed_is_asked_for(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    bench.label_studio.annotate(1, 10, MAIL)
    bench.hear("ANNOTATION_UPDATED", 10)
    bench.label_studio.asked.clear()
    report = bench.sync()
    assert (report.changed, report.events, report.compared) == (1, 1, False)
    assert bench.label_studio.asked == ["since 2025-05-01T11:59:01.000000Z"]
    assert bench.kept(10).result == MAIL
    assert bench.events.pending_heads(1) == []


def test_what_changes_while_tasks_are_gone_through_is_asked_for_again(bench: Bench) -> None:
    before = datetime.now(timezone.utc)
    bench.label_studio.annotate(1, 10, NAME)
    bench.label_studio.annotate(2, 20, NAME, updated_at=(before + timedelta(minutes=5)).isoformat())
    bench.sync()
    state = bench.learning.project(1)
    assert state is not None
    assert state.cursor is not None
    assert before <= datetime.fromisoformat(state.cursor) <= datetime.now(timezone.utc)


def test_what_was_deleted_counts_no_longer(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.label_studio.annotate(1, 11, MAIL)
    bench.sync()
    assert bench.counting() == {1: 11}
    bench.label_studio.delete(1, 11)
    bench.hear("ANNOTATIONS_DELETED", 11)
    assert bench.sync().deleted == 1
    assert bench.counting() == {1: 10}
    assert bench.kept(11).deleted_at is not None


def test_deletions_that_no_event_told_of_are_found_in_time(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    bench.label_studio.delete(1, 10)
    bench.hear("ANNOTATION_UPDATED", 10)
    assert bench.sync().deleted == 0, "an ordinary event does not compare all numbers"
    long_ago = datetime.now(timezone.utc) - timedelta(seconds=301)
    with writing(bench.events.engine) as connection:
        connection.execute(update(ProjectRow).values(compared_at=long_ago))
    bench.hear("ANNOTATION_UPDATED", 10, again=True)
    assert bench.sync().deleted == 1


def test_a_person_who_asks_gets_everything_compared(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    bench.label_studio.delete(1, 10)
    bench.learning.ask_sync(1)
    bench.hear("ANNOTATION_UPDATED", 10)
    assert bench.sync().deleted == 1
    state = bench.learning.project(1)
    assert state is not None
    assert not state.sync_asked


def test_an_annotation_that_slipped_through_is_found_by_its_number(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.label_studio.annotate(2, 20, NAME)
    bench.sync()
    bench.label_studio.annotate(3, 30, NAME)
    bench.label_studio.changed[3] = "2020-01-01T00:00:00Z"
    report = bench.sync()
    assert (report.changed, report.deleted) == (1, 0)
    assert bench.label_studio.asked[-1] == "task 3"
    assert bench.counting() == {1: 10, 2: 20, 3: 30}


def test_skipped_tasks_are_kept_and_do_not_count(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME, was_cancelled=True)
    bench.sync()
    assert bench.kept(10).was_cancelled
    assert bench.counting() == {}


def test_ground_truth_wins_and_the_others_stay(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME, ground_truth=True)
    bench.label_studio.annotate(1, 11, MAIL)
    bench.sync()
    assert bench.counting() == {1: 10}
    assert {head.id for head in bench.learning.heads(1)} == {10, 11}


PREDICTION = Prediction(1, "v1", NAME, 0.6, id=5)


def test_what_was_changed_is_told_by_the_prediction_that_the_annotation_names(bench: Bench) -> None:
    bench.label_studio.add_task(1, PREDICTION, replace(PREDICTION, id=6, model_version="v2", result=MAIL))
    changed = region("a", (100, 50, 300, 80), "Maria Petrowa", "NAME")
    bench.label_studio.annotate(1, 10, changed, parent_prediction=5)
    bench.sync()
    kept = bench.kept(10)
    assert (kept.model_version, kept.cost) == ("v1", 1)
    assert kept.prediction == {"result": NAME, "model_version": "v1", "score": 0.6}
    (correction,) = bench.learning.corrections(10)
    assert isinstance(correction, Correction)
    assert (correction.kind, correction.text_after) == ("text", "Maria Petrowa")


def test_the_prediction_stays_known_when_it_is_deleted(bench: Bench) -> None:
    bench.label_studio.add_task(1, PREDICTION)
    bench.label_studio.annotate(1, 10, NAME, parent_prediction=5)
    bench.sync()
    bench.label_studio.add_task(1)
    bench.label_studio.annotate(1, 10, NAME + MAIL, parent_prediction=None)
    bench.sync()
    assert (bench.kept(10).model_version, bench.kept(10).cost) == ("v1", 1)


def test_an_event_brings_the_prediction_where_it_is_gone(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    sent = {"id": 10, "prediction": {"id": 5, "result": NAME + MAIL, "model_version": "v0", "score": 0.4}}
    bench.hear("ANNOTATION_CREATED", 10, annotation=sent)
    bench.hear("ANNOTATION_UPDATED", 10, annotation={"id": 10, "prediction": {}})
    bench.sync()
    assert (bench.kept(10).model_version, bench.kept(10).cost) == ("v0", 1)


def test_an_event_that_brings_another_prediction_than_the_named_one_is_not_believed(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME, parent_prediction=9)
    sent = {"id": 10, "prediction": {"id": 5, "result": MAIL, "model_version": "v0", "score": 0.4}}
    bench.hear("ANNOTATION_CREATED", 10, annotation=sent)
    bench.sync()
    assert bench.kept(10).prediction is None


def test_copied_regions_tell_the_prediction_where_nothing_else_does(bench: Bench) -> None:
    other = replace(PREDICTION, id=6, model_version="v2", result=NAME + MAIL)
    bench.label_studio.add_task(1, PREDICTION, other)
    bench.label_studio.annotate(1, 10, NAME + MAIL)
    bench.label_studio.annotate(1, 11, region("drawn", (0, 0, 50, 50), "x", "NAME"))
    bench.sync()
    assert (bench.kept(10).model_version, bench.kept(10).cost) == ("v2", 0)
    assert bench.kept(11).prediction is None


def test_an_annotation_without_regions_says_why_it_is_of_no_use(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, [])
    bench.label_studio.annotate(2, 20, [NAME[0] | {"value": NAME[0]["value"] | {"width": 0}}])
    # The image itself says how large it is.
    bench.label_studio.annotate(3, 30, [NAME[0] | {"original_width": None}])
    bench.sync()
    assert bench.kept(10).problem == "It has no region on the image."
    assert "it has no extent" in str(bench.kept(20).problem)
    assert bench.kept(30).problem is None


def test_annotations_are_kept_even_if_the_configuration_cannot_be_used(bench: Bench) -> None:
    bench.label_studio.label_config = "<View><Text name='t' value='$t'/></View>"
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    assert "configuration" in str(bench.kept(10).problem)
    bench.label_studio.label_config = RECTANGLES
    assert bench.sync().changed == 1
    assert bench.kept(10).problem is None
    assert bench.sync().changed == 0


def test_a_sync_that_breaks_off_leaves_the_events_open(bench: Bench) -> None:
    for task in (1, 2, 3):
        bench.label_studio.annotate(task, task * 10, NAME)
    bench.hear("ANNOTATION_CREATED", 10)
    bench.label_studio.fails_after = 2
    with pytest.raises(LabelStudioUnreachableError):
        bench.sync()
    assert len(bench.events.pending_heads(1)) == 1
    bench.label_studio.fails_after = None
    assert bench.sync().events == 1
    assert bench.counting() == {1: 10, 2: 20, 3: 30}


def test_a_project_that_is_gone_takes_its_annotations_along(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    bench.label_studio.gone = True
    bench.hear("PROJECT_UPDATED")
    report = bench.sync()
    assert (report.deleted, report.events) == (1, 1)
    assert bench.learning.live_ids(1) == {}


def test_a_project_that_was_never_heard_of_is_an_error(bench: Bench) -> None:
    bench.label_studio.gone = True
    with pytest.raises(NotFoundError):
        bench.sync()
    assert bench.learning.project(1) is None


def test_a_made_up_number_in_an_event_becomes_no_project(bench: Bench) -> None:
    bench.label_studio.gone = True
    bench.hear("ANNOTATION_CREATED", 10)
    assert bench.sync().events == 1
    assert bench.learning.projects() == []
    assert bench.events.pending_events() == []


def test_a_project_that_was_made_up_before_is_forgotten(bench: Bench) -> None:
    bench.learning.note_synced(1, cursor=None, compared=True)
    bench.label_studio.gone = True
    bench.sync()
    assert bench.learning.projects() == []


def test_another_server_that_knows_no_project_deletes_nothing(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.sync()
    elsewhere = NotFoundError("Label Studio did not give project 1 (status 404).", "Check LABEL_STUDIO_URL.")
    bench.label_studio.gone = elsewhere
    with pytest.raises(NotFoundError):
        bench.sync()
    assert set(bench.learning.live_ids(1)) == {10}


def test_enough_that_is_new_makes_a_run_due(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    assert bench.sync().run is None
    bench.label_studio.annotate(2, 20, NAME)
    run = bench.sync().run
    assert run is not None
    assert (run.documents, run.reason) == (2, "2 changed documents")


def test_asking_for_training_makes_a_run_due(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.hear("START_TRAINING")
    run = bench.sync().run
    assert run is not None
    assert run.asked


def test_a_hint_makes_a_run_due_as_soon_as_anything_is_new(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    bench.label_studio.annotate(2, 20, NAME)
    run = bench.sync().run
    assert run is not None
    bench.runs.claim_run(run.id)
    bench.runs.record_learned(run.id, {1: bench.kept(10).digest, 2: bench.kept(20).digest})
    bench.runs.finish(run.id, "finished", "kept")
    assert bench.events.add_hint(1) == "noted"
    assert bench.sync().run is None
    bench.label_studio.annotate(3, 30, NAME)
    assert bench.events.add_hint(1, received_at=datetime.now(timezone.utc) + timedelta(hours=1)) == "noted"
    assert bench.sync().run is not None


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_thousand_events_are_one_sync(bench: Bench) -> None:
    bench.label_studio.annotate(1, 10, NAME)
    for number in range(1000):
        bench.hear("ANNOTATION_UPDATED", 10, number=number)
    assert bench.sync().events == 1000
    assert bench.events.pending_heads(1) == []


def test_the_job_needs_a_worker_that_is_ready(bench: Bench) -> None:
    with pytest.raises(job.WorkerNotReadyError, match="python -m ml_backend"):
        job.sync_project(1)
    job.provide(job.TaskServices(synchroniser=bench.synchroniser))
    try:
        bench.label_studio.annotate(1, 10, NAME)
        assert job.sync_project(1) == "1 changed, 0 deleted, 0 events"
    finally:
        job.provide(job.TaskServices())
