"""The JSON of an application: what it sends is taken as it is, what it reads has the types that it expects."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from active_learning.criteria import DocumentFacts, should_send_for_annotation
from active_learning.reasons import coded, short_code
from ml_backend.api.learning_requests import decoded
from ml_backend.store.annotations import LearningStore
from ml_backend.store.contact_ids import as_sent
from ml_backend.store.task_scores import Scored, TaskScores
from tests.conftest import card_png
from tests.ml_backend.api_backend import PROJECT, TOKEN, ApiClient, build_api
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.contacts.test_sending import Studio
from tests.ml_backend.order.test_recommendations import FINE

EXAMPLES = json.loads((Path(__file__).parent / "application_examples.json").read_text(encoding="utf-8"))
IMAGE = card_png("Иван Иванов", size=(640, 400))
BASE64 = base64.b64encode(IMAGE).decode()
LABELS = RECTANGLES.replace('<Label value="COMPANY"', '<Label value="POSITION"/><Label value="COMPANY"')


@dataclass
class KnowingStudio(Studio):
    """Remembers the tasks that it made."""

    def task(self, task_id: int) -> Any:
        return SimpleNamespace(id=task_id, data=self.tasks[task_id - 1]["data"])


@pytest.fixture
def backend(make_settings):
    app, learning = build_api(make_settings(api_token=TOKEN), config=LABELS)
    return ApiClient(app.test_client()), learning


@pytest.fixture
def api(backend):
    return backend[0]


@pytest.fixture
def studio(backend, monkeypatch):
    studio = KnowingStudio(LABELS)
    monkeypatch.setattr(backend[1].sender, "_projects", studio)
    return studio


def at(path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}project_id={PROJECT}"


def shape(example: object) -> object:
    """Return the type of a value, of all values of an object, and of a list's first element."""
    if isinstance(example, dict):
        return {key: shape(value) for key, value in example.items()}
    if isinstance(example, list):
        return [shape(example[0])] if example else []
    return float if isinstance(example, float) else type(example)


def has_shape(found: object, wanted: object) -> bool:
    """Tell whether a value has all keys of an example, with the types that they have there."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(k in found and has_shape(found[k], v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(has_shape(each, wanted[0]) for each in found if wanted)
    if wanted is float:
        return isinstance(found, int | float) and not isinstance(found, bool)
    return type(found) is wanted


def test_feedback_is_taken_as_the_application_sends_it_and_read_as_its_record(api):
    request, record = EXAMPLES["feedback_request"], EXAMPLES["feedback_record"]
    said = api.post(at("/feedback/123"), json=request | {"timestamp": record["timestamp"]})
    assert said.status_code == 201, said.json
    (listed,) = api.get(at("/feedback?contact_id=123")).json["feedback"]
    for answer in (said.json, listed):
        assert (answer["contact_id"], answer["timestamp"]) == (123, record["timestamp"])
        wanted = record["corrections"]
        assert answer["corrections"]["text_corrections"] == [wanted["text_corrections"][0] | {"page": 1}]
        assert answer["corrections"]["field_corrections"] == [wanted["field_corrections"][0] | {"page": 1}]
        assert answer["corrections"]["deleted_blocks"] == answer["corrections"]["added_blocks"] == []
        assert answer["text_corrections"] == answer["corrections"]["text_corrections"]
        assert type(answer["text_corrections"][0]["block_id"]) is int


def test_feedback_in_lower_case_is_learned_from_under_the_projects_labels(backend):
    api, learning = backend
    said = api.post(at("/feedback/123"), json=EXAMPLES["feedback_request"] | {"image_base64": BASE64}).json
    assert (said["standing"], said["problem"]) == ("training_data", "")
    store = LearningStore(learning.feedback.store._engine)
    (head,) = store.heads(PROJECT)
    (annotation,) = store.annotations([head.id])
    labels = [part["value"]["rectanglelabels"] for part in annotation.result if part["type"] == "rectanglelabels"]
    assert labels == [["NAME"], ["POSITION"]]
    assert annotation.task_data["contact_id"] == 123
    box = next(part["value"] for part in annotation.result if part["type"] == "rectanglelabels")
    assert [box[key] for key in ("x", "y", "width", "height")] == pytest.approx([18.75, 11.25, 39.0625, 7.5])
    confused = api.get(at("/patterns")).json["fields_confused"]
    assert confused == [{"named": "COMPANY", "meant": "POSITION", "count": 1}]


def test_fields_that_differ_in_case_alone_are_no_correction(api):
    block = EXAMPLES["feedback_request"]["original_blocks"][0]
    body = {"original_blocks": [block], "corrected_blocks": [block | {"field": "NAME"}]}
    assert api.post(at("/feedback/123"), json=body).json["field_corrections"] == []


def test_a_contacts_task_is_answered_as_the_example_shows(api, studio):
    answer = api.post(at("/send-for-annotation/123"), json={"contact_id": 123, "image_base64": BASE64})
    wanted = EXAMPLES["POST /api/self-learning/send-for-annotation/123"]
    assert answer.status_code == 201, answer.json
    assert has_shape(answer.json, shape(wanted))
    assert (answer.json["success"], answer.json["contact_id"]) == (True, 123)
    assert studio.tasks[0]["data"]["contact_id"] == "123"


@pytest.mark.parametrize(
    ("path", "body", "back"),
    [
        ("123", {"contact_id": 123}, 123),
        ("123", {"contact_id": "123"}, "123"),
        ("123", {}, 123),
        ("123", {"contact_id": None}, 123),
        ("0", {"contact_id": 0}, 0),
        ("007", {"contact_id": "007"}, "007"),
        ("007", {}, "007"),
        ("crm-7", {}, "crm-7"),
        ("123", {"contact_id": 123.0}, 123),
    ],
)
def test_a_contact_comes_back_as_the_type_it_was_sent_as(backend, studio, path, body, back):
    api, learning = backend
    image = {"image_base64": BASE64}
    for _ in range(2):
        answer = api.post(at(f"/send-for-annotation/{path}"), json=body | image).json
        assert (answer["contact_id"], type(answer["contact_id"])) == (back, type(back))
    # Said once, it is known: where the address alone names the contact, and in lists.
    assert api.post(at(f"/send-for-annotation/{path}"), json=image).json["contact_id"] == back
    assert learning.contacts.contacts_of(PROJECT, [1]) == {1: back}
    feedback = {"original_blocks": [], "corrected_blocks": []}
    assert api.post(at(f"/feedback/{path}"), json=feedback).json["contact_id"] == back
    assert [each["contact_id"] for each in api.get(at("/feedback")).json["feedback"]] == [back]


@pytest.mark.parametrize("body", [124, "0123", True, -1, 1.5, [], {}, "a b", 2**70])
def test_another_contact_than_that_of_the_address_is_refused_by_name(api, body):
    request = EXAMPLES["feedback_request"] | {"contact_id": body}
    answer = api.post(at("/feedback/123"), json=request)
    assert answer.status_code == 400
    assert "contact_id" in answer.json["error"]
    assert api.get(at("/feedback")).json["total"] == 0


def test_numbers_of_contacts_are_told_from_text():
    assert [as_sent(each, as_text=False) for each in ("7", "007", "0", "٧", "1e3")] == [7, "007", 0, "٧", "1e3"]
    assert as_sent("7", as_text=True) == "7"


def test_status_counts_model_versions_and_names_them_besides(api):
    found = api.get(at("/status")).json
    assert has_shape(found, shape(EXAMPLES["GET /api/self-learning/status"]))
    assert (found["training"]["model_versions"], found["training"]["versions"]) == (0, [])


def test_recommendations_have_codes_with_values_codes_alone_and_sentences(backend, studio):
    api, learning = backend
    sent = api.post(at("/send-for-annotation/117"), json={"contact_id": 117, "image_base64": BASE64}).json
    hard = replace(FINE, line_scores=(0.95, 0.29), entities=(("NAME", 0.9),))
    TaskScores(learning.contacts._engine).remember(PROJECT, [Scored(sent["task_id"], "v1", 0.5, hard, None)])
    wanted = EXAMPLES["GET /api/self-learning/recommendations?limit=10"]
    found = api.get(at("/recommendations?limit=10")).json
    assert has_shape(found, shape(wanted))
    (one,) = found["recommendations"]
    record = EXAMPLES["recommendation"]
    assert (one["contact_id"], one["priority"]) == (record["contact_id"], record["priority"])
    assert one["confidence"] == pytest.approx(record["confidence"])
    # The project has no label for telephone numbers.
    assert {"low_avg_confidence: 0.62", "missing_critical_fields: email", "too_few_blocks: 2"} <= set(one["reasons"])
    assert {"low_confidence", "missing_fields"} <= set(one["reason_codes"])
    assert "hard to read: 62 % sure on average" in one["reason_texts"]
    assert len(one["reasons"]) == len(one["reason_codes"]) == len(one["reason_texts"])


def test_the_rules_give_exactly_the_reasons_of_the_examples():
    verdict = should_send_for_annotation(DocumentFacts((0.95, 0.29), frozenset({"NAME"})))
    record = EXAMPLES["recommendation"]
    assert verdict.priority == record["priority"]
    assert set(record["reasons"]) <= {coded(reason) for reason in verdict.reasons}
    listed = EXAMPLES["GET /api/self-learning/recommendations?limit=10"]["recommendations"][0]
    assert set(listed["reasons"]) <= {short_code(reason) for reason in verdict.reasons}


URL_SAFE = base64.urlsafe_b64encode(IMAGE).decode()


@pytest.mark.parametrize(
    "text",
    [
        BASE64,
        base64.encodebytes(IMAGE).decode(),
        "\r\n".join(BASE64[i : i + 76] for i in range(0, len(BASE64), 76)),
        f"data:image/png;base64,{BASE64}",
        f"data:image/png;charset=utf-8;base64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"DATA:image/PNG;BASE64,\n{BASE64}\n",
        "data:image/png;base64," + BASE64.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        URL_SAFE,
        URL_SAFE.rstrip("="),
        f" {BASE64.rstrip('=')}\n",
    ],
)
def test_base64_is_taken_as_encoders_write_it(text):
    assert decoded(text) == IMAGE


@pytest.mark.parametrize("text", ["not base64!", "AAAAA", "data:image/png,AAAA", "data:image/png;base64,", " \n", "é"])
def test_what_is_no_base64_is_refused_by_name(api, text):
    answer = api.post("/extract", json={"image_base64": text})
    assert answer.status_code == 400
    assert answer.json["error"].startswith("image_base64:")


def test_extract_takes_json_as_sending_does(api):
    plain = api.post("/extract", data=IMAGE, content_type="image/png").json
    sent = api.post("/extract", json={"contact_id": 123, "image_base64": base64.encodebytes(IMAGE).decode()})
    assert sent.status_code == 200
    assert sent.json == plain | {"contact_id": 123}
    assert plain["contact_id"] is None
    vcard = api.post("/extract?format=vcard", json={"image_base64": BASE64})
    assert vcard.text.startswith("BEGIN:VCARD")
    for body in ({}, {"image_base64": BASE64, "url": "http://127.0.0.1/a.png"}):
        assert api.post("/extract", json=body).status_code == 400
    assert api.post("/extract", json={"document": "imported:2/images/none.png"}).status_code == 502
    kept = api.post(at("/feedback/5"), json={"original_blocks": [], "corrected_blocks": [], "image_base64": BASE64})
    assert api.post("/extract", json={"document": kept.json["document"]}).json == plain
    assert api.post("/extract", json={"url": "http://unknown.example/a.png"}).status_code in (403, 502)


def test_extract_takes_what_another_engine_has_read(api):
    blocks = EXAMPLES["feedback_request"]["original_blocks"]
    found = api.post("/extract", json={"image_base64": BASE64, "blocks": blocks})
    assert found.status_code == 200
    # The reader of the tests names no field of such a page.
    assert (found.json["width"], found.json["names"]) == (640, [])
    second = api.post("/extract", json={"image_base64": BASE64, "blocks": [blocks[0] | {"page": 2}]})
    assert second.status_code == 400


BLOCK = {"block_id": 0, "text": "Ada", "bbox": [40, 20, 300, 45], "field": "NAME"}


@pytest.mark.parametrize(
    ("change", "box"),
    [
        ({"bbox": {"x": 40, "y": 20, "width": 260, "height": 25}}, {"x": 40, "y": 20, "width": 260, "height": 25}),
        ({"bbox": {"x": 40.5, "y": "20", "width": "260.25", "height": 25}},
         {"x": 40.5, "y": 20, "width": 260.25, "height": 25}),
        ({"bbox": ["40", 20.0, "300", 45]}, [40, 20, 300, 45]),
        ({"page": None, "confidence": "0.62"}, [40, 20, 300, 45]),
        ({"page": "1", "confidence": None}, [40, 20, 300, 45]),
    ],
)  # fmt: skip
def test_blocks_are_taken_as_they_are_written_and_their_boxes_given_back_so(api, change, box):
    body = {"original_blocks": [BLOCK | change], "corrected_blocks": [BLOCK | change | {"text": "Eda"}]}
    answer = api.post(at("/feedback/1"), json=body)
    assert answer.status_code == 201, answer.json
    (correction,) = answer.json["text_corrections"]
    assert (correction["bbox"], correction["block_id"]) == (box, 0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bbox": {"x": 1, "y": 2, "width": 3}}, "corrected_blocks.0.bbox.height"),
        ({"bbox": {"x": 1, "y": 2, "width": 3, "height": None}}, "corrected_blocks.0.bbox.height"),
        ({"bbox": {"x": 1, "y": 2, "width": 3, "height": 4, "depth": 5}}, "corrected_blocks.0.bbox.depth"),
        ({"bbox": {"x": 1, "y": 2, "width": 0, "height": 4}}, "corrected_blocks.0.bbox"),
        ({"bbox": {"x": True, "y": 2, "width": 3, "height": 4}}, "corrected_blocks.0.bbox.x"),
        ({"bbox": {"x": "1,5", "y": 2, "width": 3, "height": 4}}, "corrected_blocks.0.bbox.x"),
        ({"bbox": ["nan", 2, 3, 4]}, "corrected_blocks.0.bbox.0"),
        ({"bbox": [1, 2, 1e9, 4]}, "corrected_blocks.0.bbox.2"),
        ({"bbox": None}, "corrected_blocks.0.bbox"),
        ({"bbox": "1,2,3,4"}, "corrected_blocks.0.bbox"),
        ({"block_id": 1.5}, "corrected_blocks.0.block_id"),
        ({"block_id": True}, "corrected_blocks.0.block_id"),
        ({"confidence": 62}, "corrected_blocks.0.confidence"),
        ({"page": 0}, "corrected_blocks.0.page"),
        ({"text": 5}, "corrected_blocks.0.text"),
        ({"colour": "red"}, "corrected_blocks.0.colour"),
    ],
)
def test_what_no_application_means_is_refused_by_name(api, change, named):
    answer = api.post(at("/feedback/1"), json={"original_blocks": [], "corrected_blocks": [BLOCK | change]})
    assert answer.status_code == 400
    assert answer.json["error"].startswith(f"{named}:")
    assert "form" not in answer.json["error"]


def test_a_block_without_text_or_field_is_one(api):
    block = BLOCK | {"text": None, "field": "", "block_id": None}
    answer = api.post(at("/feedback/1"), json={"original_blocks": [], "corrected_blocks": [block]})
    assert [(b["text"], b["field"]) for b in answer.json["added_blocks"]] == [("", None)]


def test_blocks_that_are_said_to_be_deleted_or_added_are_so_once(api):
    other, new = BLOCK | {"block_id": 1, "bbox": [40, 60, 300, 85]}, BLOCK | {"block_id": 2, "bbox": [0, 90, 50, 99]}
    body = {"original_blocks": [BLOCK, other], "corrected_blocks": [BLOCK, other]}
    said = api.post(at("/feedback/1"), json=body | {"deleted_blocks": [other], "added_blocks": [new]}).json
    assert [each["block_id"] for each in said["deleted_blocks"]] == [1]
    assert [each["block_id"] for each in said["added_blocks"]] == [2]
    done = {"original_blocks": [BLOCK, other], "corrected_blocks": [BLOCK, new]}
    again = api.post(at("/feedback/1"), json=done | {"deleted_blocks": [other], "added_blocks": [new]}).json
    assert again["corrections"] == said["corrections"]
    nothing = api.post(at("/feedback/1"), json=body | {"deleted_blocks": [], "added_blocks": []}).json
    assert nothing["deleted_blocks"] == nothing["added_blocks"] == []
    both = api.post(at("/feedback/1"), json=body | {"deleted_blocks": [new], "added_blocks": [new]})
    assert (both.status_code, both.json["error"]) == (400, "added_blocks: 2 is among deleted_blocks too.")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("2025-10-27T18:00:00", "2025-10-27T18:00:00"),
        ("2025-10-27T18:00:00Z", "2025-10-27T18:00:00"),
        ("2025-10-27T18:00:00.123456+03:00", "2025-10-27T15:00:00"),
        ("2025-10-27 18:00", "2025-10-27T18:00:00"),
    ],
)
def test_moments_are_taken_with_a_zone_or_in_utc(api, sent, said):
    answer = api.post(at("/feedback/1"), json=EXAMPLES["feedback_request"] | {"contact_id": 1, "timestamp": sent})
    assert answer.json["timestamp"] == said


@pytest.mark.parametrize(
    "sent", ["yesterday", "2025-10-27", 1761588000, "2025-13-01T00:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_moment_is_refused_by_name(api, sent):
    answer = api.post(at("/feedback/1"), json=EXAMPLES["feedback_request"] | {"contact_id": 1, "timestamp": sent})
    assert answer.status_code == 400
    assert answer.json["error"].startswith("timestamp:")


def test_null_is_taken_for_what_is_left_out(api):
    assert api.post(at("/trigger-training"), json={"force": None}).status_code == 409
    assert api.post(at("/rollback"), json={"reason": None}).status_code == 409
    body = EXAMPLES["feedback_request"] | {"model_version": None, "image_base64": None, "timestamp": None}
    assert api.post(at("/feedback/123"), json=body | {"deleted_blocks": None}).status_code == 201
