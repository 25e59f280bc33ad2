"""However a project is connected, every open task is predicted and in its order, without another call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from ml_backend.projects.setup import UNCERTAINTY
from tests.e2e.conftest import System
from tests.e2e.projects import new_project, printed_cards
from tests.e2e.waiting import until

TASKS, LATE = 14, 3


def predicted(system: System, project_id: int) -> bool:
    """Tell whether each task has one prediction with a score, of the version that orders the tasks, which is set."""
    project = system.client.project(project_id)
    tasks = list(system.client.tasks(project_id, results=True))
    each = [[item for item in task.predictions if item.model_version == project.model_version] for task in tasks]
    assert all(len(items) <= 1 for items in each), "twice"
    return project.sampling == UNCERTAINTY and all(items and items[0].score is not None for items in each)


def settled(system: System, base: str, headers: dict[str, str], project_id: int, tasks: int) -> bool:
    """Tell whether the status says that all open tasks have their predictions."""
    answer = requests.get(f"{base}/status", params={"project_id": project_id}, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()["predictions"]
    return found is not None and (found["open_tasks"], found["lacking"]) == (tasks, 0)


@pytest.mark.parametrize("by_hand", [False, True])
def test_all_tasks_are_predicted_whoever_connects_and_whenever_they_come(
    system: System, tmp_path: Path, by_hand: bool
) -> None:
    base = f"{system.backend_url}/api/self-learning"
    token = json.loads((system.run_dir / "secrets.json").read_text())["api_token"]
    headers = {"Authorization": f"Bearer {token}"}
    project_id = new_project(system.client)
    cards = printed_cards(tmp_path, TASKS + LATE)
    system.client.upload_files(project_id, cards[:TASKS])
    if by_hand:
        user, password = system.auth
        system.client.save_ml_backend(project_id, system.backend_url, title="by hand", user=user, password=password)
    else:
        answer = requests.post(
            f"{base}/init-label-studio", params={"project_id": project_id}, headers=headers, timeout=300
        )
        assert answer.status_code == 200, answer.text
        made = answer.json()
        assert 0 < made["waiting_tasks"] <= made["total_tasks"] - made["predicted_tasks"]
        assert str(made["waiting_tasks"]) in made["note"]
    until(lambda: predicted(system, project_id), "predicting what was there", 180)
    until(lambda: settled(system, base, headers, project_id, TASKS), "saying so", 60)
    system.client.upload_files(project_id, cards[TASKS:])
    until(lambda: predicted(system, project_id), "predicting what came later", 180)
    until(lambda: settled(system, base, headers, project_id, TASKS + LATE), "saying so", 60)
