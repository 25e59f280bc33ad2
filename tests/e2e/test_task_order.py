"""Which task a person gets next."""

from collections import Counter
from collections.abc import Sequence

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.records import Prediction
from ml_backend.projects.setup import UNCERTAINTY, ProjectPlan, ensure_project
from tests.e2e.conftest import System
from tests.e2e.people import another_annotator
from tests.e2e.projects import a_region, empty_tasks, new_project

# Score and cluster of each task.
SIX = ((0.9, 0), (0.8, 1), (0.7, 0), (0.6, 1), (0.5, 0), (0.4, 1))


def scored_project(system: System, scores: Sequence[tuple[float, int | None]]) -> tuple[int, dict[int, tuple]]:
    """A project of tasks that have a prediction with a score and a cluster each, in uncertainty order."""
    project_id = new_project(system.client)
    by_task = dict(zip(empty_tasks(system.client, project_id, len(scores)), scores, strict=True))
    system.client.create_predictions(
        Prediction(task=task, model_version="v1", result=a_region(), score=score, cluster=cluster)
        for task, (score, cluster) in by_task.items()
    )
    system.client.update_project(project_id, model_version="v1")
    system.client.update_project(project_id, sampling=UNCERTAINTY)
    return project_id, by_task


def test_next_task_is_the_least_solved_clusters_lowest_score(system: System) -> None:
    project_id, scores = scored_project(system, SIX)
    solved: Counter[int] = Counter()
    open_tasks = dict(scores)
    while open_tasks:
        task = system.client.next_task(project_id)
        assert task is not None
        expected = min(open_tasks, key=lambda number: (solved[open_tasks[number][1]], open_tasks[number][0]))
        assert task.id == expected, f"after {solved}"
        solved[open_tasks.pop(task.id)[1]] += 1
        system.client.create_annotation(task.id, a_region())
    assert system.client.next_task(project_id) is None


def test_task_that_an_annotator_holds_comes_first_again_whatever_its_score(system: System) -> None:
    project_id, scores = scored_project(system, [(0.2, None), (0.5, None), (0.8, None)])
    held = system.client.next_task(project_id)
    assert held is not None
    assert scores[held.id][0] == 0.2
    other = next(task for task, (score, _) in scores.items() if score == 0.8)
    # Now another task is the least certain one.
    (old,) = system.client.predictions(task_id=other)
    system.client.delete_predictions([old.id])
    system.client.create_predictions([Prediction(task=other, model_version="v1", result=a_region(), score=0.01)])
    again = system.client.next_task(project_id)
    assert again is not None
    assert again.id == held.id


def test_each_of_two_people_is_served_the_first_task_that_the_other_does_not_hold(system: System) -> None:
    # Not in the order of their numbers.
    project_id, scores = scored_project(system, [((7 * place % 12) / 20, None) for place in range(12)])
    people = [system.client, another_annotator(system)]
    wanted = sorted(scores, key=lambda task: scores[task][0])

    def served(person: int) -> int:
        task = people[person].next_task(project_id)
        assert task is not None
        return task.id

    def annotate(person: int, task: int) -> None:
        people[person].create_annotation(task, a_region())

    # Both annotate: if Label Studio counted them, it would draw by chance from here on.
    assert [served(0), served(1)] == wanted[:2]
    annotate(1, wanted[1])
    annotate(0, wanted[0])
    assert [served(1), served(0)] == wanted[2:4]
    # One is slow, the other goes on in the order.
    for task in wanted[3:8]:
        assert served(0) == task
        annotate(0, task)
    annotate(1, wanted[2])
    rest = wanted[8:]
    assert [served(turn % 2) for turn in range(2)] == rest[:2]


def test_version_without_predictions_is_refused(system: System) -> None:
    project_id, _ = scored_project(system, [(0.2, None)])
    with pytest.raises(LabelStudioError, match="status 400"):
        system.client.update_project(project_id, model_version="v2")


def test_connecting_by_hand_stores_the_title_as_version_and_setup_repairs_that(system: System) -> None:
    project_id = new_project(system.client)
    title = "A model with a name"
    system.client.save_ml_backend(
        project_id, system.backend_url, title=title, user=system.auth[0], password=system.auth[1]
    )
    assert system.client.project(project_id).model_version == title
    (known,) = system.client.ml_backends(project_id)
    version = system.client.session.request("GET", f"api/ml/{known.id}")["model_version"]
    (task_id,) = empty_tasks(system.client, project_id, 1)
    system.client.create_predictions([Prediction(task=task_id, model_version=version, result=a_region(), score=0.5)])

    ensure_project(system.client, ProjectPlan("", "", project_id=project_id), system.backend)

    project = system.client.project(project_id)
    assert project.model_version == version
    assert project.sampling == UNCERTAINTY


def test_demonstration_project_starts_with_its_least_certain_card(system: System) -> None:
    project = system.client.project(system.project_id)
    assert project.sampling == UNCERTAINTY
    scores = {item.task: item.score for item in system.client.predictions(project_id=project.id)}
    task = system.client.next_task(project.id)
    assert task is not None
    assert scores[task.id] == min(score for score in scores.values() if score is not None)
