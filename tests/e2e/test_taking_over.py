"""A promoted version takes over in a running system: it answers, pre-labels the open tasks, and orders them."""

from pathlib import Path

import pytest
import requests

from ml_backend.predict.serving_models import number_of
from ml_backend.projects.setup import UNCERTAINTY, ProjectPlan, ensure_project
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, new_project, printed_cards
from tests.e2e.versions import move_alias, register, registry_of
from tests.e2e.waiting import until


def served_version(system: System, project_id: int) -> str:
    """The version that the backend tells Label Studio."""
    body = {"project": f"{project_id}.1", "schema": system.client.project(project_id).label_config}
    return requests.post(f"{system.backend_url}/setup", json=body, auth=system.auth, timeout=10).json()["model_version"]


@pytest.fixture(scope="module")
def project_id(system: System, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Six pre-labelled cards, one of them annotated."""
    project_id = new_project(system.client)
    cards = printed_cards(Path(tmp_path_factory.mktemp("cards")), 6)
    ensure_project(system.client, ProjectPlan("", "", project_id=project_id, images=cards), system.backend)
    first = min(system.client.predictions(project_id=project_id), key=lambda item: item.task)
    system.client.create_annotation(first.task, a_region(), parent_prediction=first.id)
    return project_id


@pytest.fixture(scope="module")
def shipped(system: System, project_id: int) -> str:
    return system.client.project(project_id).model_version


def test_a_promoted_version_answers_pre_labels_and_orders_within_two_minutes(
    system: System, project_id: int, shipped: str, tmp_path: Path
) -> None:
    version = register(system.run_dir, project_id, tmp_path, nudge=1)
    registry_of(system.run_dir).promote(project_id, version.number)
    until(lambda: number_of(served_version(system, project_id)) == version.number, "the swap", 30)
    name = served_version(system, project_id)
    until(lambda: system.client.project(project_id).model_version == name, "the rescoring")

    predictions = system.client.predictions(project_id=project_id)
    annotated = {task.id for task in system.client.tasks(project_id, annotated=True)}
    new = {item.task: item for item in predictions if item.model_version == name}
    assert len([item for item in predictions if item.model_version == name]) == len(new) == 5
    assert not annotated & set(new)
    assert all(item.score is not None for item in new.values())
    assert system.client.project(project_id).sampling == UNCERTAINTY
    following = system.client.next_task(project_id)
    assert following is not None
    assert new[following.id].score == min(item.score for item in new.values())
    assert shipped in {item.model_version for item in predictions}, "pages that are open were begun with these"


def test_what_was_begun_with_the_version_before_can_still_be_submitted(
    system: System, project_id: int, shipped: str
) -> None:
    old = next(
        item
        for item in system.client.predictions(project_id=project_id)
        if item.model_version == shipped
        and item.task not in {t.id for t in system.client.tasks(project_id, annotated=True)}
    )
    system.client.create_annotation(old.task, a_region(), parent_prediction=old.id)


def test_a_corrupt_version_leaves_the_old_one_serving_and_says_so(
    system: System, project_id: int, tmp_path: Path
) -> None:
    before = served_version(system, project_id)
    registry = registry_of(system.run_dir)
    version = register(system.run_dir, project_id, tmp_path, nudge=2)
    weights = registry.folder_of(version) / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    move_alias(system.run_dir, version)

    def problem() -> str:
        return (
            requests.get(f"{system.backend_url}/health", auth=system.auth, timeout=10).json().get("model_problem", "")
        )

    until(lambda: f"Version {version.number} of project {project_id}" in problem(), "the complaint", 30)
    assert served_version(system, project_id) == before
    shown = requests.get(f"{system.backend_url}/metrics", auth=system.auth, timeout=10).text
    assert f'ml_backend_model_problem{{project="{project_id}"}} 1.0' in shown
    registry.promote(project_id, number_of(before))
    until(lambda: not problem(), "the end of the complaint", 30)
    assert served_version(system, project_id) == before


def test_rolling_back_to_the_weights_that_ship_takes_over_too(system: System, project_id: int, shipped: str) -> None:
    registry_of(system.run_dir).promote(project_id, None)
    until(lambda: served_version(system, project_id) == shipped, "the swap", 30)
    until(lambda: system.client.project(project_id).model_version == shipped, "the rescoring")
    predictions = system.client.predictions(project_id=project_id)
    assert len({item.task for item in predictions if item.model_version == shipped}) == 6
    counts = [
        sum(item.task == task.id and item.model_version == shipped for item in predictions)
        for task in system.client.tasks(project_id)
    ]
    assert counts == [1] * 6, "nothing is there twice"
