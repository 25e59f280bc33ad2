"""What is asked of Label Studio, and how its answers are read."""

from __future__ import annotations

import json
import threading

import pytest

from ml_backend.errors import LabelStudioError, NotFoundError
from ml_backend.label_studio.client import UPLOAD_BATCH, LabelStudio
from ml_backend.label_studio.records import Annotation, MlBackend, Prediction, Project, Task, Webhook
from tests.ml_backend.label_studio.local_server import Answer, as_json

REGION = {
    "id": "0123456789abcdef",
    "from_name": "field",
    "to_name": "card",
    "type": "rectanglelabels",
    "original_width": 600,
    "original_height": 400,
    "image_rotation": 0,
    "value": {"x": 10, "y": 10.5, "width": 30, "height": 8, "rotation": 0, "rectanglelabels": ["NAME"]},
}
PROJECT = {
    "id": 2,
    "title": "Business cards",
    "label_config": "<View/>",
    "model_version": "v1",
    "sampling": "Uncertainty sampling",
    "task_number": 4,
    "created_at": "2026-11-22T18:59:53.930547Z",
    "parsed_label_config": {},
}
PREDICTION = {
    "id": 5,
    "result": [REGION],
    "model_version": "v1",
    "created_ago": "21 minutes",
    "score": 0.56,
    "cluster": 0,
    "mislabeling": 0.1,
    "created_at": "2026-11-22T18:59:55.644400Z",
    "task": 6,
    "project": 2,
}
ANNOTATION = {
    "id": 2,
    "result": [REGION],
    "completed_by": 1,
    "was_cancelled": False,
    "created_at": "2026-11-22T18:59:56.783239Z",
    "updated_at": "2026-11-22T18:59:56.783320Z",
    "task": 6,
    "project": 2,
}
TASK = {
    "id": 6,
    "data": {"image": "/data/upload/2/d0581357-card.png"},
    "is_labeled": True,
    "project": 2,
    "annotations": [ANNOTATION],
    "predictions": [PREDICTION],
    "updated_at": "2026-11-22T18:59:55.601006Z",
}


def first_page(answer):
    """Answer as Label Studio does: a page after the last is 404."""
    return lambda request: as_json(answer) if request.query.get("page", "1") == "1" else as_json({}, 404)


@pytest.fixture
def client(server):
    connected = LabelStudio(server.url, "legacy-token", timeout=5)
    yield connected
    connected.close()


def test_a_project(server, client):
    server.routes["GET /api/projects/2/"] = as_json(PROJECT)

    assert client.project(2) == Project(2, "Business cards", "<View/>", "v1", "Uncertainty sampling", 4)


def test_projects_are_found_by_their_exact_title(server, client):
    alike = PROJECT | {"id": 3, "title": "Business cards 2"}
    answer = {"count": 2, "next": None, "previous": None, "results": [alike, PROJECT]}
    server.routes["GET /api/projects/"] = first_page(answer)

    assert [project.id for project in client.projects("Business cards")] == [2]
    assert [project.id for project in client.projects()] == [3, 2]
    assert server.requests[0].query["title"] == "Business cards"


def test_a_new_project_shows_predictions(server, client):
    server.routes["POST /api/projects/"] = as_json(PROJECT, 201)

    assert client.create_project("Business cards", "<View/>").id == 2
    assert server.requests[0].json == {
        "title": "Business cards",
        "label_config": "<View/>",
        "description": "",
        "show_collab_predictions": True,
    }


def test_only_what_is_given_is_changed(server, client):
    server.routes["PATCH /api/projects/2/"] = as_json(PROJECT)

    client.update_project(2, model_version="v2", sampling="Uncertainty sampling")

    assert server.requests[0].json == {"model_version": "v2", "sampling": "Uncertainty sampling"}


def test_a_version_without_predictions_is_refused_in_label_studios_words(server, client):
    refusal = {"detail": "Validation error", "validation_errors": {"model_version": ["Model version doesn't exist"]}}
    server.routes["PATCH /api/projects/2/"] = as_json(refusal, 400)

    with pytest.raises(LabelStudioError, match="Model version doesn't exist"):
        client.update_project(2, model_version="v9")


def test_tasks_come_a_page_at_a_time_until_there_are_no_more(server, client):
    def page(request):
        number = int(request.query.get("page", 1))
        if number > 3:
            return as_json({"detail": "Invalid page."}, 404)
        bare = {key: value for key, value in TASK.items() if key not in {"annotations", "predictions", "project"}}
        return as_json({"total": 3, "tasks": [bare | {"id": number}]})

    server.routes["GET /api/tasks/"] = page

    tasks = list(client.tasks(2))

    assert tasks == [Task(number, 2, TASK["data"], True) for number in (1, 2, 3)]
    assert {request.query["project"] for request in server.requests} == {"2"}
    assert {request.query["resolve_uri"] for request in server.requests} == {"false"}


@pytest.mark.parametrize(("annotated", "operator"), [(True, "greater"), (False, "equal")])
def test_tasks_with_or_without_annotations(server, client, annotated, operator):
    server.routes["GET /api/tasks/"] = first_page({"tasks": []})

    assert list(client.tasks(2, annotated=annotated, results=True)) == []

    query = server.requests[0].query
    assert query["fields"] == "all"
    (only,) = json.loads(query["query"])["filters"]["items"]
    assert (only["filter"], only["operator"], only["value"]) == ("filter:tasks:total_annotations", operator, 0)


def test_an_outage_between_two_pages_is_not_the_end_of_the_list(server, client):
    server.routes["GET /api/tasks/"] = lambda request: (
        as_json({"tasks": [TASK]}) if request.query.get("page", "1") == "1" else Answer(400, b"{}")
    )

    with pytest.raises(LabelStudioError):
        list(client.tasks(2))


def test_a_task_brings_its_annotations_and_predictions(server, client):
    server.routes["GET /api/tasks/6/"] = as_json(TASK)

    assert client.task(6) == Task(
        id=6,
        project=2,
        data=TASK["data"],
        is_labeled=True,
        annotations=(
            Annotation(
                2, 6, [REGION], False, "2026-11-22T18:59:56.783320Z", None, 1, False, "2026-11-22T18:59:56.783239Z"
            ),
        ),
        predictions=(Prediction(6, "v1", [REGION], 0.56, 0, 0.1, 5),),
    )


def test_the_next_task(server, client):
    server.routes["GET /api/projects/2/next"] = as_json(TASK)
    task = client.next_task(2)
    assert task is not None
    assert task.id == 6

    server.routes["GET /api/projects/2/next"] = as_json({"detail": "No more annotations"}, 404)
    assert client.next_task(2) is None


def test_imported_tasks_are_numbered(server, client):
    server.routes["POST /api/projects/2/import"] = as_json({"task_count": 2, "task_ids": [8, 9]}, 201)

    assert client.import_tasks(2, [{"data": {"image": "a"}}, {"data": {"image": "b"}}]) == [8, 9]
    assert server.requests[0].query["return_task_ids"] == "true"
    assert server.requests[0].json == [{"data": {"image": "a"}}, {"data": {"image": "b"}}]


def test_files_are_uploaded_in_batches_each_under_a_name_of_its_own(server, client, tmp_path):
    paths = [tmp_path / f"card {number}.png" for number in range(UPLOAD_BATCH + 1)]
    for number, path in enumerate(paths):
        path.write_bytes(b"image %d" % number)
    counter = iter(range(1, 1000))
    server.routes["POST /api/projects/2/import"] = lambda request: as_json(
        {"task_ids": [next(counter) for _ in range(request.body.count(b"filename="))]}, 201
    )

    assert client.upload_files(2, paths) == list(range(1, UPLOAD_BATCH + 2))

    first, second = server.requests
    assert all(b'name="file%d"' % number in first.body for number in range(UPLOAD_BATCH))
    assert b'filename="card 0.png"\r\nContent-Type: image/png' in first.body
    assert b"image %d" % UPLOAD_BATCH in second.body
    assert client.upload_files(2, []) == []


def test_annotations(server, client):
    server.routes["GET /api/tasks/6/annotations/"] = as_json([ANNOTATION | {"prediction": PREDICTION}])
    server.routes["POST /api/tasks/6/annotations/"] = as_json(ANNOTATION, 201)

    (annotation,) = client.annotations(6)
    assert annotation.prediction is not None
    assert annotation.prediction["result"] == [REGION]

    assert client.create_annotation(6, [REGION], parent_prediction=5).id == 2
    assert server.requests[-1].json == {"result": [REGION], "parent_prediction": 5}


def test_predictions_are_stored_with_cluster_and_mislabeling(server, client):
    server.routes["POST /api/predictions/"] = as_json(PREDICTION, 201)
    new = [Prediction(6, "v1", [REGION], 0.56, 0, 0.1), Prediction(7, "v1", [])]

    assert client.create_predictions(new) == [5, 5]

    full = {"task": 6, "result": [REGION], "model_version": "v1", "score": 0.56, "cluster": 0, "mislabeling": 0.1}
    assert [request.json for request in server.requests] == [full, {"task": 7, "result": [], "model_version": "v1"}]


def test_predictions_of_a_project_or_of_a_task(server, client):
    server.routes["GET /api/predictions/"] = as_json([PREDICTION])

    assert client.predictions(project_id=2) == [Prediction(6, "v1", [REGION], 0.56, 0, 0.1, 5)]
    assert client.predictions(task_id=6) == client.predictions(project_id=2)
    assert [request.query for request in server.requests[:2]] == [{"project": "2"}, {"task": "6"}]


def test_a_prediction_that_is_gone_already_is_as_good_as_deleted(server, client):
    server.routes["DELETE /api/predictions/6/"] = Answer(204)

    client.delete_predictions([5, 6])

    assert server.paths() == ["/api/predictions/5/", "/api/predictions/6/"]


BACKEND = {
    "id": 1,
    "project": 2,
    "url": "http://127.0.0.1:9090",
    "title": "Reader",
    "is_interactive": True,
    "state": "CO",
    "error_message": None,
}


def test_backends_are_listed_connected_and_changed(server, client):
    server.routes["GET /api/ml/"] = as_json([BACKEND])
    server.routes["POST /api/ml/"] = as_json(BACKEND, 201)
    server.routes["PATCH /api/ml/1"] = as_json(BACKEND | {"title": "Other"})
    expected = MlBackend(1, 2, "http://127.0.0.1:9090", "Reader", True, "CO", "")

    assert client.ml_backends(2) == [expected]
    assert client.save_ml_backend(2, expected.url, title="Reader", user="ls", password="word") == expected
    assert client.save_ml_backend(2, expected.url, title="Other", backend_id=1).title == "Other"

    _, created, changed = server.requests
    assert created.json == {
        "project": 2,
        "url": expected.url,
        "title": "Reader",
        "is_interactive": True,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": "ls",
        "basic_auth_pass": "word",
    }
    assert "basic_auth_user" not in changed.json


def test_webhooks_are_listed_made_secured_and_deleted(server, client):
    raw = {"id": 4, "url": "http://127.0.0.1:9090/webhook", "headers": {}, "is_active": True, "project": 2}
    server.routes["GET /api/webhooks/"] = as_json([raw])
    server.routes["POST /api/webhooks/"] = as_json(raw, 201)
    server.routes["PATCH /api/webhooks/4/"] = as_json(raw)
    server.routes["DELETE /api/webhooks/4/"] = Answer(204)

    (webhook,) = client.webhooks(2)
    assert webhook == Webhook(4, "http://127.0.0.1:9090/webhook", {}, True, 2)
    client.create_webhook(2, webhook.url, headers={"X-Webhook-Secret": "s"})
    client.update_webhook(webhook, headers={"X-Webhook-Secret": "s"})
    client.delete_webhook(4)

    listed, created, changed, _ = server.requests
    assert listed.query == {"project": "2"}
    assert created.json["send_payload"] is created.json["send_for_all_actions"] is True
    assert changed.json == {"url": webhook.url, "headers": {"X-Webhook-Secret": "s"}, "is_active": True}


def test_what_does_not_exist_is_not_found(client):
    with pytest.raises(NotFoundError, match="project 9"):
        client.project(9)


def test_one_client_serves_many_threads(server, client):
    server.routes["GET /api/tasks/6/"] = as_json(TASK)
    found = []
    threads = [threading.Thread(target=lambda: found.append(client.task(6).id)) for _ in range(12)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert found == [6] * 12
