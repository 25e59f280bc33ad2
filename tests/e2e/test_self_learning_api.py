"""What applications ask of the self-learning API of a whole system, with a real Label Studio behind it."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from ml_backend.label_studio.label_config import parse_label_config
from tests.conftest import card_png
from tests.e2e.conftest import System
from tests.e2e.projects import new_title

CARD = card_png("Maria Petrova", "Field Engineer", "+49 30 5550 1234", "maria@northwind.example")


class Api:
    """Calls the API of a running system."""

    def __init__(self, system: System) -> None:
        self.base = f"{system.backend_url}/api/self-learning"
        secrets = json.loads((system.run_dir / "secrets.json").read_text())
        self.headers = {"Authorization": f"Bearer {secrets['api_token']}"}

    def get(self, path: str, **query: object) -> dict[str, Any]:
        answer = requests.get(self.base + path, params=query, headers=self.headers, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, query: dict[str, object] | None = None, **more: Any) -> requests.Response:
        return requests.post(self.base + path, params=query, headers=self.headers, timeout=300, **more)


@pytest.fixture(scope="module")
def api(system: System) -> Api:
    return Api(system)


@pytest.fixture(scope="module")
def project(api: Api) -> int:
    """A project that the API has made."""
    title = new_title("Contacts")
    made = api.post("/init-label-studio", json={"title": title}).json()
    assert "created project" in " ".join(made["changes"])
    again = api.post("/init-label-studio", json={"title": title}).json()
    assert (again["project_id"], again["changes"]) == (made["project_id"], [])
    return made["project_id"]


def test_a_contact_sent_by_many_at_once_has_one_task_with_its_prediction(
    system: System, api: Api, project: int
) -> None:
    def send(_: int) -> requests.Response:
        return api.post("/send-for-annotation/crm-7", {"project_id": project}, files={"image": ("card.png", CARD)})

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(send, range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    (task_id,) = {answer.json()["task_id"] for answer in answers}
    (task,) = system.client.tasks(project, results=True)
    assert (task.id, task.data["contact_id"]) == (task_id, "crm-7")
    (prediction,) = task.predictions
    assert any("maria@northwind.example" in str(part) for part in prediction.result)
    served = requests.get(f"{system.backend_url}/versions", auth=system.auth, timeout=10).json()["versions"]
    assert prediction.model_version in served


def test_blocks_of_another_engine_become_the_prediction(system: System, api: Api, project: int) -> None:
    blocks = [{"text": "Northwind Traders", "bbox": [40, 40, 300, 80]}]
    body = {"image_base64": base64.b64encode(CARD).decode(), "blocks": blocks}
    sent = api.post("/send-for-annotation/crm-8", {"project_id": project}, json=body)
    assert sent.status_code == 201, sent.text
    (prediction,) = system.client.task(sent.json()["task_id"]).predictions
    texts = [part["value"]["text"][0] for part in prediction.result if part["type"] == "textarea"]
    assert " ".join(texts) == "Northwind Traders"


def test_feedback_on_a_sent_contact_is_learned_from_with_the_tasks_image(api: Api, project: int) -> None:
    block = {"block_id": "1", "text": "Maria Petr0va", "bbox": [40, 40, 300, 80], "field": "NAME"}
    said = {"original_blocks": [block], "corrected_blocks": [dict(block, text="Maria Petrova")]}
    answer = api.post("/feedback/crm-7", {"project_id": project}, json=said)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["standing"], answer.json()["problem"]) == ("training_data", "")
    collected = api.post("/collect-training-data", {"project_id": project}, json={"write": True}).json()
    assert (collected["total_training_samples"], collected["written"]) == (1, 1)
    assert api.get("/patterns", project_id=project)["misreadings"][0]["read"] == "0"


def test_a_field_is_added_once_and_labels_regions(system: System, api: Api, project: int) -> None:
    field = {"name": "VAT_ID", "aliases": ["USt-IdNr"], "critical": True}
    first, again = (api.post(f"/projects/{project}/fields", json=field).json() for _ in range(2))
    assert (first["changed"], again["changed"]) == (True, False)
    labels = parse_label_config(system.client.project(project).label_config).targets[0].labels
    assert labels[-1].value == "VAT_ID"
    assert labels[-1].predicted_values == ("USt-IdNr",)
    assert api.get(f"/projects/{project}/fields")["fields"] == [field]


def test_status_and_recommendations_know_the_contacts(api: Api, project: int) -> None:
    state = api.get("/status", project_id=project)
    assert state["label_studio"]["available"]
    assert state["label_studio"]["total_tasks"] == 2

    found = api.get("/recommendations", project_id=project)
    # Of the other one feedback came: somebody has looked at it.
    (recommended,) = found["recommendations"]
    assert recommended["contact_id"] == "crm-8"
    assert recommended["priority"] in (1, 2, 3)
    assert all(isinstance(reason, str) for reason in recommended["reasons"])
    assert found["total_candidates"] == 1
