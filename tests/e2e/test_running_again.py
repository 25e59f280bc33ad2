"""Running the setup again over what is there."""

import time
from collections import Counter
from pathlib import Path

from ml_backend.label_studio.templates import business_cards_config
from ml_backend.projects.setup import ProjectPlan, ensure_project
from tests.e2e.conftest import System
from tests.e2e.projects import new_title, printed_cards


def inventory(system: System, project_id: int) -> dict[str, object]:
    """Everything in a project that could be there twice."""
    client = system.client
    return {
        "projects": sorted(project.id for project in client.projects()),
        "tasks": sorted(task.id for task in client.tasks(project_id)),
        "predictions": sorted(item.id for item in client.predictions(project_id=project_id)),
        "webhooks": [(hook.id, hook.headers) for hook in client.webhooks(project_id)],
        "backends": [backend.id for backend in client.ml_backends(project_id)],
        "project": client.project(project_id),
    }


def test_setup_run_twice_creates_nothing_twice(system: System, tmp_path: Path) -> None:
    plan = ProjectPlan(new_title("Set up twice"), business_cards_config(), images=printed_cards(tmp_path, 3))
    first = ensure_project(system.client, plan, system.backend)
    assert first.changes
    assert (first.tasks, first.predicted) == (3, 3)
    before = inventory(system, first.project_id)

    second = ensure_project(system.client, plan, system.backend)

    assert second.changes == ()
    assert second.project_id == first.project_id
    assert inventory(system, first.project_id) == before


def test_import_that_was_cut_off_is_completed(system: System, tmp_path: Path) -> None:
    cards = printed_cards(tmp_path, 4)
    plan = ProjectPlan(new_title("Cut off"), business_cards_config(), images=cards)
    project = system.client.create_project(plan.title, plan.label_config)
    system.client.upload_files(project.id, cards[:2])
    report = ensure_project(system.client, plan, system.backend)
    assert report.project_id == project.id
    names = Counter(str(task.data["image"]).partition("-")[2] for task in system.client.tasks(project.id))
    assert names == Counter(card.name for card in cards)


def test_prediction_that_is_there_twice_is_removed(system: System, tmp_path: Path) -> None:
    plan = ProjectPlan(new_title("There twice"), business_cards_config(), images=printed_cards(tmp_path, 2))
    report = ensure_project(system.client, plan, system.backend)
    (first, *_) = system.client.predictions(project_id=report.project_id)
    system.client.create_predictions([first])
    again = ensure_project(system.client, plan, system.backend)
    assert again.changes == ("removed 1 predictions that were there twice",)
    assert len(system.client.predictions(project_id=report.project_id)) == 2


def test_prediction_that_the_order_has_moved_stays_of_two(system: System, tmp_path: Path) -> None:
    plan = ProjectPlan(new_title("Moved"), business_cards_config(), images=printed_cards(tmp_path, 1))
    report = ensure_project(system.client, plan, system.backend)
    (first,) = system.client.predictions(project_id=report.project_id)
    time.sleep(1.1)
    assert system.client.rescore_prediction(first.id, 0.125)
    system.client.create_predictions([first])
    ensure_project(system.client, plan, system.backend)
    (left,) = system.client.predictions(project_id=report.project_id)
    assert (left.id, left.score) == (first.id, 0.125)


def test_backend_that_was_connected_twice_is_connected_once(system: System) -> None:
    plan = ProjectPlan(new_title("Connected twice"), business_cards_config())
    report = ensure_project(system.client, plan, system.backend)
    (connected,) = system.client.ml_backends(report.project_id)
    user, password = system.auth
    system.client.save_ml_backend(
        report.project_id, system.backend_url, title=connected.title, user=user, password=password
    )
    again = ensure_project(system.client, plan, system.backend)
    assert again.changes == ("removed 1 connections to the same backend",)
    assert system.client.ml_backends(report.project_id) == [connected]


def test_backend_that_was_disconnected_is_connected_again_with_one_webhook(system: System) -> None:
    plan = ProjectPlan(new_title("Disconnected"), business_cards_config())
    report = ensure_project(system.client, plan, system.backend)
    (connected,) = system.client.ml_backends(report.project_id)
    system.client.session.request("DELETE", f"api/ml/{connected.id}")
    again = ensure_project(system.client, plan, system.backend)
    assert "connected the backend" in again.changes
    assert [backend.state for backend in system.client.ml_backends(report.project_id)] == ["CO"]
    assert len(system.client.webhooks(report.project_id)) == 1


def test_connection_made_without_interactive_preannotation_gets_it(system: System) -> None:
    plan = ProjectPlan(new_title("Not interactive"), business_cards_config())
    report = ensure_project(system.client, plan, system.backend)
    (connected,) = system.client.ml_backends(report.project_id)
    login = {"auth_method": "BASIC_AUTH", "basic_auth_user": system.auth[0], "basic_auth_pass": system.auth[1]}
    changed = {"project": report.project_id, "url": system.backend_url, "is_interactive": False, **login}
    system.client.session.request("PATCH", f"api/ml/{connected.id}", json=changed)
    again = ensure_project(system.client, plan, system.backend)
    assert "repaired the connection to the backend" in again.changes
    (repaired,) = system.client.ml_backends(report.project_id)
    assert (repaired.id, repaired.state, repaired.is_interactive) == (connected.id, "CO", True)
