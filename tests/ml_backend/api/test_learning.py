"""What applications ask of the self-learning API, and what they get, also while Label Studio is down."""

import base64
import json
import socket
import time
from dataclasses import replace
from io import BytesIO

import pytest

from ml_backend.label_studio.client import LabelStudio
from ml_backend.learn import feedback as feedback_module
from ml_backend.projects import projects as projects_module
from ml_backend.store.annotations import LearningStore
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_failures import TaskFailures
from model.document.types import PageNote
from tests.conftest import card_png, print_card
from tests.ml_backend.api_backend import PROJECT, TOKEN, ApiClient, CardReader, build_api
from tests.ml_backend.backend import RECTANGLES
from tests.paged import paged

IMAGE = card_png("Ada Lovelace", size=(640, 400))
BLOCKS = [
    {"block_id": "a", "text": "Ada Love1ace", "bbox": [40, 20, 300, 45], "field": "COMPANY"},
    {"block_id": "b", "text": "Engines", "bbox": [40, 60, 200, 85], "field": None},
    {"block_id": "c", "text": "ada@engines.example", "bbox": [40, 100, 300, 125], "field": "EMAIL"},
]
CORRECTED = [
    {"block_id": "a", "text": "Ada Lovelace", "bbox": [40, 20, 300, 45], "field": "NAME"},
    {"block_id": "c", "text": "ada@engines.example", "bbox": [40, 100, 300, 125], "field": "EMAIL"},
    {"block_id": "d", "text": "Engineer", "bbox": [40, 140, 200, 165], "field": None},
]


@pytest.fixture
def backend(make_settings):
    return build_api(make_settings(api_token=TOKEN))


@pytest.fixture
def api(backend):
    return ApiClient(backend[0].test_client())


def feedback(**more):
    return {"original_blocks": BLOCKS, "corrected_blocks": CORRECTED} | more


def in_project(path):
    return f"{path}{'&' if '?' in path else '?'}project_id={PROJECT}"


@pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer", f"Bearer {TOKEN}x"])
def test_without_the_token_nothing_is_answered(backend, header):
    headers = {} if header is None else {"Authorization": header}
    answer = backend[0].test_client().get("/api/self-learning/status", headers=headers)
    assert answer.status_code == 401
    assert answer.json.keys() == {"error", "hint"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_status_says_how_far_open_tasks_are_predicted(backend, api):
    engine = backend[1].feedback.store._engine
    assert api.get(in_project("/status")).json["predictions"] is None
    RescoringStore(engine).note_checked(PROJECT, "v1", open_tasks=40, lacking=12)
    TaskFailures(engine).note(PROJECT, 7, "too_large", "The image is too large.")
    found = api.get(in_project("/status")).json["predictions"]
    assert found.pop("checked_at")
    assert found == {
        "version": "v1",
        "open_tasks": 40,
        "lacking": 12,
        "waiting": 11,
        "failures": [{"reason": "too_large", "tasks": 1, "message": "The image is too large."}],
        "problem": "",
        "problem_text": "",
        "running": True,
        "seconds_left": 11.0,
    }


def test_where_no_token_is_set_the_api_is_closed_to_all(make_settings):
    app, _ = build_api(make_settings())
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
        answer = app.test_client().get("/api/self-learning/status", headers=headers)
        assert answer.status_code == 503
        assert "API_TOKEN" in answer.json["hint"]


def test_status_is_told_while_label_studio_is_down(api):
    found = api.get(in_project("/status"))
    assert found.status_code == 200
    assert found.json["label_studio"]["available"] is False
    assert found.json["label_studio"]["project_id"] == PROJECT
    assert found.json["training"] == {
        "total_training_samples": 0,
        "new_samples": 0,
        "ready_for_training": False,
        "reason": "There are 0 annotated documents of the 50 that the first run needs.",
        "min_samples_required": 50,
        "model_versions": 0,
        "versions": [],
        "running": False,
        "run_id": None,
        "progress": None,
    }
    assert found.json["champion"]["name"] == "shipped"


def test_feedback_answers_what_was_corrected_kind_by_kind(api):
    said = api.post(in_project("/feedback/c-1"), json=feedback())
    assert said.status_code == 201
    assert said.json["text_corrections"] == [
        {"block_id": "a", "page": 1, "original": "Ada Love1ace", "corrected": "Ada Lovelace", "bbox": [40, 20, 300, 45]}
    ]
    assert said.json["field_corrections"] == [
        {"block_id": "a", "page": 1, "original_field": "COMPANY", "corrected_field": "NAME", "text": "Ada Lovelace"}
    ]
    assert [block["block_id"] for block in said.json["deleted_blocks"]] == ["b"]
    assert [(block["block_id"], block["text"]) for block in said.json["added_blocks"]] == [("d", "Engineer")]


def test_feedback_with_its_image_is_training_data_while_label_studio_is_down(backend, api, make_settings):
    body = feedback(image_base64=base64.b64encode(IMAGE).decode())
    said = api.post(in_project("/feedback/c-1"), json=body).json
    assert (said["standing"], said["problem"]) == ("training_data", "")
    assert api.get(in_project("/status")).json["training"]["total_training_samples"] == 1
    learning = LearningStore(backend[1].feedback.store._engine)
    (head,) = learning.heads(PROJECT)
    (annotation,) = learning.annotations([head.id])
    assert annotation.source == "api"
    assert annotation.task_data["contact_id"] == "c-1"
    # A line without a field that was deleted is no correction of the model.
    assert annotation.cost == 3
    assert {c.kind for c in learning.corrections(head.id)} == {"text", "field", "added"}


def test_feedback_on_a_page_that_the_document_lacks_says_so(make_settings):
    app, learning = build_api(
        make_settings(api_token=TOKEN), config=RECTANGLES.replace('value="$image"', 'valueList="$pages"')
    )
    api = ApiClient(app.test_client())
    blocks = [CORRECTED[0] | {"page": page} for page in (1, 2)]
    body = {"original_blocks": [], "image_base64": base64.b64encode(IMAGE).decode()}
    first = api.post(in_project("/feedback/c-1"), json=body | {"corrected_blocks": blocks[:1]}).json
    assert (first["standing"], first["added_blocks"][0]["page"]) == ("training_data", 1)
    second = api.post(in_project("/feedback/c-2"), json=body | {"corrected_blocks": blocks[1:]}).json
    assert (second["standing"], second["problem"]) == ("corrections_only", "The document has no page 2.")
    assert second["added_blocks"][0]["page"] == 2
    kept = learning.feedback.store.page(PROJECT, limit=1)[0]
    assert [item.item_index for item in kept.corrections] == [1]


def test_feedback_for_one_contact_again_replaces_what_was_said_before(api):
    body = feedback(image_base64=base64.b64encode(IMAGE).decode())
    for _ in range(2):
        assert api.post(in_project("/feedback/c-1"), json=body).status_code == 201
    api.post(in_project("/feedback/c-2"), json=body)
    assert api.get(in_project("/status")).json["training"]["total_training_samples"] == 2
    assert api.get(in_project("/feedback")).json["total"] == 3
    assert api.get(in_project("/patterns")).json["documents"] == 2


def test_feedback_without_an_image_still_tells_patterns(api):
    said = api.post(in_project("/feedback/c-1"), json=feedback(model_version="v1")).json
    assert said["standing"] == "corrections_only"
    assert "no image" in said["problem"]
    found = api.get(in_project("/patterns")).json
    assert found["misreadings"] == [{"read": "1", "meant": "l", "field": "NAME", "script": "latin", "count": 1}]
    assert found["fields_confused"] == [{"named": "COMPANY", "meant": "NAME", "count": 1}]
    assert [period["name"] for period in found["by_version"]] == ["v1"]


def test_feedback_of_a_project_never_seen_waits_for_label_studio(make_settings):
    app, learning = build_api(make_settings(api_token=TOKEN), config=None)
    api = ApiClient(app.test_client())
    body = feedback(image_base64=base64.b64encode(IMAGE).decode())
    assert api.post(in_project("/feedback/c-1"), json=body).json["standing"] == "waiting"
    assert learning.feedback.absorb(PROJECT) == 0
    learning.options.remember_label_config(PROJECT, build_config())
    assert learning.feedback.absorb(PROJECT) == 1
    assert api.get(in_project("/feedback")).json["feedback"][0]["standing"] == "training_data"


def test_feedback_is_answered_soon_while_label_studio_hangs_and_used_once_it_does_not(make_settings, monkeypatch):
    monkeypatch.setattr(feedback_module, "PATIENCE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = LabelStudio(f"http://127.0.0.1:{silent.getsockname()[1]}", "a legacy token", timeout=0.5)
        app, _ = build_api(make_settings(api_token=TOKEN), label_studio=client)
        api = ApiClient(app.test_client())
        body = feedback(image_base64=base64.b64encode(IMAGE).decode())
        assert api.post(in_project("/feedback/c-1"), json=body).json["standing"] == "waiting"
    deadline = time.monotonic() + 30
    while (standing := api.get(in_project("/feedback")).json["feedback"][0]["standing"]) != "training_data":
        assert time.monotonic() < deadline, standing
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/send-for-annotation/c-1", {"image_base64": base64.b64encode(IMAGE).decode()}),
        ("/collect-training-data", {}),
        ("/init-label-studio", {}),
        (f"/projects/{PROJECT}/fields", {"name": "VAT"}),
    ],
)
def test_what_needs_label_studio_says_soon_that_it_hangs(make_settings, monkeypatch, path, body):
    monkeypatch.setattr(projects_module, "REACH_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = LabelStudio(f"http://127.0.0.1:{silent.getsockname()[1]}", "a legacy token", timeout=600)
        app, _ = build_api(make_settings(api_token=TOKEN), label_studio=client)
        api = ApiClient(app.test_client())
        start = time.monotonic()
        refused = api.post(in_project(path), json=body)
        status = api.get(in_project("/status"))
        assert time.monotonic() - start < 60
    assert refused.status_code == 503
    assert "took too long" in refused.json["error"]
    assert "LABEL_STUDIO_URL" in refused.json["hint"]
    assert status.json["label_studio"]["available"] is False
    assert "took too long" in status.json["label_studio"]["problem"]


def build_config():
    from tests.ml_backend.backend import RECTANGLES

    return RECTANGLES


def test_a_field_that_the_project_lacks_is_named(api):
    block = dict(CORRECTED[0], field="CRYPTO")
    body = feedback(corrected_blocks=[block], image_base64=base64.b64encode(IMAGE).decode())
    said = api.post(in_project("/feedback/c-1"), json=body).json
    assert (said["standing"], said["problem"]) == ("corrections_only", "The project has no label CRYPTO.")


def test_feedback_is_paged_newest_first(api):
    for number in range(5):
        api.post(in_project(f"/feedback/c-{number}"), json=feedback())
    first = api.get(in_project("/feedback?limit=2")).json
    second = api.get(in_project(f"/feedback?limit=2&before={first['next']}")).json
    last = api.get(in_project(f"/feedback?limit=2&before={second['next']}")).json
    pages = [[each["contact_id"] for each in page["feedback"]] for page in (first, second, last)]
    assert pages == [["c-4", "c-3"], ["c-2", "c-1"], ["c-0"]]
    assert last["next"] is None
    assert [each["contact_id"] for each in api.get(in_project("/feedback?contact_id=c-3")).json["feedback"]] == ["c-3"]


@pytest.mark.parametrize(
    "change",
    [
        {"original_blocks": None},
        {"corrected_blocks": [dict(BLOCKS[0], bbox=[1, 2, 3])]},
        {"corrected_blocks": [dict(BLOCKS[0], bbox=[10, 10, 10, 20])]},
        {"corrected_blocks": [BLOCKS[0], BLOCKS[0]]},
        {"corrected_blocks": [dict(BLOCKS[0], text="nul\x00")]},
        {"image_base64": "not base64!"},
        {"more": 1},
    ],
)
def test_what_cannot_be_feedback_is_refused_and_nothing_kept(api, change):
    answer = api.post(in_project("/feedback/c-1"), json=feedback(**change))
    assert answer.status_code == 400
    assert answer.json.keys() == {"error", "hint"}
    assert api.get(in_project("/feedback")).json["total"] == 0


def test_an_image_that_is_none_is_refused(api):
    body = feedback(image_base64=base64.b64encode(b"no image").decode())
    assert api.post(in_project("/feedback/c-1"), json=body).status_code == 422


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [("{", "application/json", 400), ("[]", "application/json", 400), ("{}", "text/plain", 415), ("", "", 415)],
)
def test_a_body_that_is_not_json_is_refused(api, data, kind, status):
    assert api.post(in_project("/feedback/c-1"), data=data, content_type=kind).status_code == status


def test_a_request_beyond_the_limit_is_refused(make_settings):
    app, _ = build_api(make_settings(api_token=TOKEN, max_upload_bytes=10_000))
    answer = ApiClient(app.test_client()).post("/extract", data=b"x" * 10_001, content_type="image/png")
    assert answer.status_code == 413
    assert answer.json.keys() == {"error", "hint"}


def test_which_project_is_meant_must_be_known(api):
    answer = api.get("/feedback")
    assert answer.status_code == 404
    assert "project_id" in answer.json["hint"]


def test_training_is_refused_with_the_reason_and_forced_on_demand(api):
    refused = api.post(in_project("/trigger-training"))
    assert refused.status_code == 409
    assert refused.json["error"] == "There are 0 annotated documents of the 50 that the first run needs."
    assert api.post(in_project("/trigger-training"), json={"force": True}).status_code == 409
    api.post(in_project("/feedback/c-1"), json=feedback(image_base64=base64.b64encode(IMAGE).decode()))
    asked = api.post(in_project("/trigger-training"), json={"force": True})
    assert asked.status_code == 202
    again = api.post(in_project("/trigger-training"))
    assert (again.status_code, again.json["run_id"], again.json["already"]) == (202, asked.json["run_id"], True)
    assert api.get(f"/runs/{asked.json['run_id']}").json["state"] == "due"
    assert [run["run_id"] for run in api.get(in_project("/runs")).json["runs"]] == [asked.json["run_id"]]
    assert api.get("/runs/99").status_code == 404


def test_what_needs_label_studio_says_that_it_is_missing(api):
    for path, body in (
        (in_project("/send-for-annotation/c-1"), {"image_base64": base64.b64encode(IMAGE).decode()}),
        (in_project("/collect-training-data"), None),
        (in_project("/init-label-studio"), None),
        (f"/projects/{PROJECT}/fields", {"name": "SKYPE"}),
    ):
        answer = api.post(path, json=body) if body else api.post(path)
        assert answer.status_code == 503, path
        assert "LABEL_STUDIO_URL" in answer.json["hint"]


def test_versions_of_a_new_project_are_those_that_ship(api):
    found = api.get(in_project("/versions")).json
    assert [(each["version"], each["role"]) for each in found["versions"]] == [(0, "champion")]
    assert api.post(in_project("/versions/7/promote")).status_code == 404
    assert api.post(in_project("/rollback")).status_code == 409
    assert api.get(in_project("/metrics/history")).json["promotions"] == []


def test_the_challengers_share_is_set_and_taken_back(api):
    assert api.post(in_project("/ab"), json={"share": 0.25}).json == {"challenger_share": 0.25}
    assert api.get(in_project("/versions")).json["challenger_share"] == 0.25
    assert api.post(in_project("/ab"), json={"share": None}).json == {"challenger_share": 0.0}
    assert api.post(in_project("/ab"), json={"share": 1.5}).status_code == 400


def test_a_card_becomes_a_contact(api):
    found = api.post("/extract", data=IMAGE, content_type="image/png").json
    (person,), (phone, fax) = found["names"], found["phones"]
    assert person["name"] | {} == {
        "full": "Dr. Ada Lovelace",
        "prefix": "Dr.",
        "given": "Ada",
        "additional": "",
        "family": "Lovelace",
        "suffix": "",
    }
    assert (phone["e164"], phone["type"], fax["type"]) == ("+442079460018", "work", "fax")
    assert person["confidence"] == 0.8
    assert person["bbox"] == [40, 20, 300, 45]
    assert found["emails"][0]["address"] == "ada@engines.example"
    assert found["websites"][0]["url"] == "https://www.engines.example"


def test_an_application_is_told_whether_a_person_should_look_at_a_card(make_settings, api):
    assert api.post("/extract", data=IMAGE, content_type="image/png").json["annotation"] == {
        "should_send": False,
        "priority": 0,
        "confidence": pytest.approx(0.9),
        "reasons": [],
        "reason_codes": [],
        "reason_texts": [],
    }
    client, _ = build_api(make_settings(api_token=TOKEN, critical_fields="NAME,BIRTHDAY"))
    told = ApiClient(client.test_client()).post("/extract", data=IMAGE, content_type="image/png").json["annotation"]
    assert (told["should_send"], told["priority"]) == (True, 2)
    assert told["reasons"] == ["missing_critical_fields: birthday"]
    assert told["reason_codes"] == ["missing_fields"]
    assert told["reason_texts"] == ["birthday missing"]


def test_a_card_becomes_a_vcard_and_csv(api):
    form = {"image": (__import__("io").BytesIO(IMAGE), "card.png")}
    vcard = api.post("/extract?format=vcard", data=form)
    assert vcard.content_type == "text/vcard; charset=utf-8"
    assert vcard.text.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\n")
    csv = api.post("/extract?format=csv", data=IMAGE, content_type="image/png")
    assert "+442079460018" in csv.text
    assert api.post("/extract?format=xml", data=IMAGE, content_type="image/png").status_code == 400
    assert api.post("/extract", data=b"no image", content_type="image/png").status_code == 422
    assert api.post("/extract", data=IMAGE, content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("GIF", "image/gif"), ("AVIF", "image/avif"), ("JPEG2000", "image/jp2"), ("BMP", "image/bmp")],
)
def test_every_kind_of_image_that_is_read_is_taken(api, kind, content_type):
    buffer = BytesIO()
    print_card(["Ada"], size=(640, 400)).save(buffer, kind)
    assert api.post("/extract", data=buffer.getvalue(), content_type=content_type).json["page_sizes"] == [[640, 400]]


def test_a_contact_comes_with_what_else_is_to_be_said_of_its_pages(api, monkeypatch):
    assert api.post("/extract", data=IMAGE, content_type="image/png").json["notes"] == []
    predict = CardReader.predict

    def with_note(self, data):
        found = predict(self, data)
        return replace(found, page=replace(found.page, notes=(PageNote("unknown_script", 2),)))

    monkeypatch.setattr(CardReader, "predict", with_note)
    (note,) = api.post("/extract", data=IMAGE, content_type="image/png").json["notes"]
    assert note.startswith("Lines that cannot be read: 2.")


def test_the_pages_of_a_document_become_one_contact(api):
    pages = [print_card(["front"], size=(640, 400)), print_card(["back"], size=(700, 400))]
    for kind, content_type in (("PDF", "application/pdf"), ("TIFF", "image/tiff")):
        found = api.post("/extract", data=paged(pages, kind), content_type=content_type).json
        assert found["page_sizes"] == [[640, 400], [700, 400]]
        # The reader finds the same card on both.
        assert [name["page"] for name in found["names"]] == [1]
    broken = api.post("/extract", data=b"%PDF-1.7", content_type="application/pdf")
    assert (broken.status_code, broken.json["error"]) == (422, "The PDF is broken or incomplete.")


def test_the_description_names_every_route(backend, api):
    description = api.get("/openapi.json").json
    assert description["openapi"] == "3.1.0"
    described = {(path, method.upper()) for path, methods in description["paths"].items() for method in methods}
    served = {
        (str(rule).replace("<", "{").replace(">", "}"), method)
        for rule in backend[0].url_map.iter_rules()
        if str(rule).startswith("/api/self-learning/") and not str(rule).endswith("openapi.json")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == served
    json.dumps(description)
