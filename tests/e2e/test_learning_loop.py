"""Corrections become a better version by themselves, against a real Label Studio."""

from pathlib import Path

import pytest

from ml_backend.predict.serving_models import number_of
from ml_backend.projects.setup import UNCERTAINTY
from tests.e2e.conftest import System
from tests.e2e.loop import Played, play, signs_read
from tests.e2e.versions import registry_of
from tests.e2e.waiting import until

PATIENCE = 900


@pytest.fixture(scope="module")
def played(system: System, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Forty cards with a sign that is misread, thirty of them corrected by a script; nothing else is done by hand."""
    folder = Path(tmp_path_factory.mktemp("cards"))
    store = f"sqlite:///{system.run_dir / 'store.sqlite3'}"
    return play(system.client, system.backend, store, folder, badges=40, annotated=30, patience=PATIENCE, cards=True)


def test_one_run_learns_from_all_annotations_and_registers_a_version(system: System, played: Played) -> None:
    assert played.run.state == "finished", played.run.message
    assert played.run.documents == 30
    assert played.run.decision == "promoted", played.run.message
    version = registry_of(system.run_dir).version(played.project_id, played.run.version or 0)
    assert registry_of(system.run_dir).folder_of(version).is_dir()


def test_the_version_that_the_gate_promotes_is_better_on_untouched_cards(played: Played) -> None:
    assert played.after is not None, played.run.message
    # What is read right of them more than before is the website, which is one of six values.
    assert played.after > played.before + 0.08


def test_open_tasks_are_in_the_new_versions_order(system: System, played: Played) -> None:
    project_id = played.project_id
    until(lambda: number_of(system.client.project(project_id).model_version) == played.run.version, "the new order")
    project = system.client.project(project_id)
    assert project.sampling == UNCERTAINTY
    open_tasks = {task.id for task in system.client.tasks(project_id, annotated=False)}
    made = [item for item in system.client.predictions(project_id=project_id) if item.task in open_tasks]
    new = [item for item in made if item.model_version == project.model_version]
    assert sorted(item.task for item in new) == sorted(open_tasks), "each open task has one prediction of the version"
    following = system.client.next_task(project_id)
    assert following is not None
    scores = {item.task: item.score or 0.0 for item in new}
    assert scores[following.id] == min(scores.values())


def test_what_people_corrected_in_reading_is_read_right_on_cards_that_nobody_touched(
    system: System, played: Played
) -> None:
    version = registry_of(system.run_dir).version(played.project_id, played.run.version or 0)
    assert version.tags["recogniser"] == "new", version.tags.get("recogniser_reason")
    serving = system.client.project(played.project_id).model_version
    right, of = signs_read(system.client, played.project_id, serving)
    assert of == 10
    assert right > of / 2
