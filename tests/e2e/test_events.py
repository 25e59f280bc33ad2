"""What a person does in Label Studio, and what the backend hears of it."""

import statistics
import time
from pathlib import Path

import pytest
import requests

from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.store.events import Event, Store
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, new_project, printed_cards


@pytest.fixture(scope="module")
def labelled(system: System, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A project with one pre-labelled task that a person has corrected, submitted, corrected again and deleted."""
    project_id = new_project(system.client)
    cards = printed_cards(Path(tmp_path_factory.mktemp("cards")), 1)
    plan = ProjectPlan("", "", project_id=project_id, images=cards)
    ensure_project(system.client, plan, system.backend)
    (prediction,) = system.client.predictions(project_id=project_id)
    made = system.client.create_annotation(prediction.task, a_region("Maria"), parent_prediction=prediction.id)
    session = system.client.session
    session.request("PATCH", f"api/annotations/{made.id}", json={"result": a_region("Maria Petrova")})
    session.request("DELETE", f"api/annotations/{made.id}")
    return project_id


def events(system: System, project_id: int, action: str) -> list[Event]:
    """Events of one kind that the backend has stored, waiting for the first of them."""
    store = Store(f"sqlite:///{system.run_dir / 'store.sqlite3'}")
    deadline = time.monotonic() + 20
    try:
        while True:
            found = [event for event in store.pending_events(project_id) if event.action == action]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.2)
    finally:
        store.close()


def test_webhook_arrives_although_it_carries_no_password(system: System, labelled: int) -> None:
    (created,) = events(system, labelled, "ANNOTATION_CREATED")
    assert created.task_ids
    assert created.annotation_ids


def test_submitted_annotation_comes_with_the_prediction_it_started_from(system: System, labelled: int) -> None:
    (created,) = events(system, labelled, "ANNOTATION_CREATED")
    annotation = created.payload["annotation"]
    assert annotation["result"][2]["value"]["text"] == ["Maria"]
    assert annotation["prediction"]["model_version"] == system.client.project(labelled).model_version
    assert annotation["prediction"]["result"]


def test_corrected_and_deleted_annotations_are_heard_of(system: System, labelled: int) -> None:
    (updated,) = events(system, labelled, "ANNOTATION_UPDATED")
    assert updated.payload["annotation"]["result"][2]["value"]["text"] == ["Maria Petrova"]
    (deleted,) = events(system, labelled, "ANNOTATIONS_DELETED")
    assert deleted.annotation_ids == updated.annotation_ids


def test_imported_tasks_and_changed_projects_are_heard_of(system: System, labelled: int) -> None:
    assert events(system, labelled, "PROJECT_UPDATED")


def test_start_training_is_heard_of(system: System, labelled: int) -> None:
    (backend,) = system.client.ml_backends(labelled)
    system.client.session.request("POST", f"api/ml/{backend.id}/train", json={})
    assert events(system, labelled, "START_TRAINING")


@pytest.mark.parametrize("headers", [{}, {"X-Webhook-Secret": "guessed"}])
def test_event_without_the_secret_is_refused_and_not_stored(system: System, headers: dict[str, str]) -> None:
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 424242}, "annotation": {"id": 1}, "task": {"id": 1}}
    answer = requests.post(f"{system.backend_url}/webhook", json=event, headers=headers, timeout=10)
    assert answer.status_code == 401
    store = Store(f"sqlite:///{system.run_dir / 'store.sqlite3'}")
    assert store.pending_events(424242) == []
    store.close()


def test_events_are_answered_in_well_under_a_second(system: System) -> None:
    seconds = []
    for number in range(20):
        event = {"action": "PROJECT_UPDATED", "project": {"id": 424243, "title": f"{number}"}}
        start = time.perf_counter()
        answer = requests.post(
            f"{system.backend_url}/webhook",
            json=event,
            headers={"X-Webhook-Secret": system.webhook_secret},
            timeout=10,
        )
        seconds.append(time.perf_counter() - start)
        assert answer.status_code == 201
    assert statistics.median(seconds) < 0.25
