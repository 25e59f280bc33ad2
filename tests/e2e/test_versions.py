"""What Label Studio does with predictions of several versions: the facts that taking over and rescoring stand on."""

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.records import Prediction
from ml_backend.projects.setup import UNCERTAINTY
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, empty_tasks, new_project

OLD, NEW, SHARED = "cards-0a0b0c0d.aaaaaa", "p3-v7-1a2b3c4d.aaaaaa", "p3-v7+v8@25-5e6f7a8b.aaaaaa"


def project_of(system: System, count: int) -> tuple[int, list[int]]:
    project_id = new_project(system.client)
    return project_id, list(empty_tasks(system.client, project_id, count))


def push(system: System, task: int, version: str, score: float = 0.5, cluster: int | None = None) -> int:
    made = Prediction(task=task, model_version=version, result=a_region(), score=score, cluster=cluster)
    return system.client.create_predictions([made])[0]


def order(system: System, project_id: int, tasks: list[int]) -> list[int]:
    """The places of the tasks in the order in which a person gets them."""
    system.client.update_project(project_id, sampling=UNCERTAINTY)
    places = []
    while (following := system.client.next_task(project_id)) is not None:
        places.append(tasks.index(following.id))
        system.client.create_annotation(following.id, a_region())
    return places


def test_only_the_projects_version_orders_and_is_shown_and_tasks_without_it_come_last(system: System) -> None:
    project_id, tasks = project_of(system, 4)
    for place, task in enumerate(tasks):
        push(system, task, OLD, score=0.1 * place)
    for place, task in enumerate(tasks[:3]):
        push(system, task, NEW, score=0.9 - 0.1 * place)
    system.client.update_project(project_id, model_version=NEW)
    first = system.client.next_task(project_id)
    assert first is not None
    assert {item.model_version for item in first.predictions} == {NEW}
    system.client.update_project(project_id, sampling=UNCERTAINTY)
    assert order(system, project_id, tasks)[-1] == 3


def test_without_a_version_a_person_is_shown_no_prediction_at_all(system: System) -> None:
    project_id, tasks = project_of(system, 1)
    push(system, tasks[0], OLD)
    system.client.session.request("PATCH", f"api/projects/{project_id}", json={"model_version": ""})
    following = system.client.next_task(project_id)
    assert following is not None
    assert following.predictions == ()
    assert [item.model_version for item in system.client.task(tasks[0]).predictions] == [OLD]


@pytest.mark.parametrize(("old_cluster", "expected"), [(9, [0, 1, 2, 3]), (-1, [0, 2, 1, 3])])
def test_clusters_take_turns_only_while_those_of_older_versions_have_smaller_numbers(
    system: System, old_cluster: int, expected: list[int]
) -> None:
    project_id, tasks = project_of(system, 4)
    for place, task in enumerate(tasks):
        push(system, task, OLD, cluster=old_cluster)
        push(system, task, NEW, score=0.1 + 0.1 * place, cluster=place // 2)
    system.client.update_project(project_id, model_version=NEW)
    assert order(system, project_id, tasks) == expected


def test_what_is_begun_with_a_prediction_that_is_gone_cannot_be_submitted(system: System) -> None:
    project_id, tasks = project_of(system, 1)
    gone = push(system, tasks[0], OLD)
    push(system, tasks[0], NEW)
    system.client.delete_version(project_id, OLD)
    assert system.client.version_counts(project_id) == {NEW: 1}
    with pytest.raises(LabelStudioError, match="400"):
        system.client.create_annotation(tasks[0], a_region(), parent_prediction=gone)


def test_open_tasks_are_found_by_the_version_that_they_lack(system: System) -> None:
    project_id, tasks = project_of(system, 6)
    push(system, tasks[0], NEW)
    push(system, tasks[1], SHARED)
    push(system, tasks[2], OLD)
    push(system, tasks[2], NEW)
    system.client.create_annotation(tasks[3], a_region())
    skipped = system.client.create_annotation(tasks[4], a_region())
    system.client.session.request("PATCH", f"api/annotations/{skipped.id}", json={"was_cancelled": True})

    def places(**how: object) -> list[int]:
        return [tasks.index(number) for number in system.client.open_ids(project_id, **how)]

    assert places() == [0, 1, 2, 4, 5]
    assert places(lacking=NEW) == [1, 4, 5]
    assert places(lacking=SHARED) == [0, 2, 4, 5]
    found = list(system.client.open_tasks(project_id, tasks[:2], lacking=NEW))
    assert [(task.id, task.data) for task in found] == [(tasks[1], {"image": "/data/none-1.png"})]
