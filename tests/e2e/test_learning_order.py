"""Label Studio serves tasks in the order that active learning wants, before and after a promotion."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from active_learning.strategies import DEFAULT_STRATEGY
from ml_backend.label_studio.client import LabelStudio
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.task_order import REORDER_AFTER, arrange
from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.kept_labels import KeptLabels
from ml_backend.store.task_scores import TaskOrder, TaskScores
from tests.e2e.badges import LABEL_CONFIG, draw_badges
from tests.e2e.conftest import System
from tests.e2e.people import another_annotator
from tests.e2e.projects import new_title
from tests.e2e.versions import move_alias, register
from tests.e2e.waiting import until

TASKS, IMAGES, CONTROL = 40, 10, 0.1


@pytest.fixture
def store(system: System) -> Iterator[Store]:
    store = Store(f"sqlite:///{system.run_dir / 'store.sqlite3'}")
    yield store
    store.close()


def badge_project(system: System, folder: Path) -> int:
    """Forty tasks of ten images, so that each is read but once; nothing is annotated."""
    client = system.client
    project_id = client.create_project(new_title("Order"), LABEL_CONFIG).id
    client.upload_files(project_id, [badge.path for badge in draw_badges(folder, IMAGES, seed=6)])
    data = [task.data for task in client.tasks(project_id)]
    client.import_tasks(project_id, [{"data": data[place % IMAGES]} for place in range(TASKS - IMAGES)])
    ensure_project(client, ProjectPlan("", "", project_id=project_id), system.backend)
    return project_id


def order_of(scores: TaskScores, project_id: int, version: str, tasks: int) -> TaskOrder | None:
    """The order by a version, once it has reached Label Studio."""
    order = scores.order(project_id)
    return order if order and (order.version, order.tasks) == (version, tasks) and order.moved >= 0 else None


def check(system: System, store: Store, project_id: int) -> list[int]:
    """Compare the strategy's order with that of the scores in Label Studio; return it."""
    scores, learning = TaskScores(store.engine), LearningStore(store.engine)
    source = CandidateSource(scores, learning, KeptLabels(store.engine))
    candidates = source.candidates(project_id, among=system.client.open_ids(project_id))
    wanted = arrange(project_id, candidates, DEFAULT_STRATEGY, CONTROL)
    made = {
        item.task: item.score or 0.0
        for item in system.client.predictions(project_id=project_id)
        if item.model_version == candidates.version
    }
    tasks = [each.task_id for each in wanted]
    assert sorted(tasks, key=lambda task: made[task]) == tasks
    assert len({made[task] for task in tasks}) == len(tasks), "no place is left to chance"
    assert not any(each.control for each in wanted[: round(1 / CONTROL) - 1])
    return tasks


def serve(people: Sequence[LabelStudio], project_id: int, count: int) -> list[int]:
    """Annotate what comes next, in turn, by accepting what was predicted."""
    served = []
    for turn in range(count):
        person = people[turn % len(people)]
        task = person.next_task(project_id)
        assert task is not None
        served.append(task.id)
        (made,) = task.predictions
        person.create_annotation(task.id, made.result, parent_prediction=made.id)
    return served


def test_next_task_of_two_people_is_the_strategys_choice_before_and_after_a_promotion(
    system: System, store: Store, tmp_path: Path
) -> None:
    project_id, scores = badge_project(system, tmp_path), TaskScores(store.engine)
    few = REORDER_AFTER - 1
    before = system.client.project(project_id).model_version
    until(lambda: order_of(scores, project_id, before, TASKS), "the first order", 300)
    wanted = check(system, store, project_id)
    people = [system.client, another_annotator(system)]
    assert serve(people, project_id, few) == wanted[:few]

    promoted = register(system.run_dir, project_id, tmp_path, nudge=9)
    move_alias(system.run_dir, promoted)
    until(lambda: system.client.project(project_id).model_version.startswith(promoted.name), "the new order", 300)
    after = system.client.project(project_id).model_version
    until(lambda: order_of(scores, project_id, after, TASKS - few), "the order by the new version", 300)
    # With these the annotated documents would be enough for another order, in which the present one could not be seen.
    wanted = check(system, store, project_id)
    assert serve(people[1:], project_id, 1) == wanted[:1]
