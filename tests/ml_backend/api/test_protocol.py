"""What Label Studio asks, and what it gets."""

import json
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from structlog.contextvars import get_contextvars

from ml_backend.api.limits import MAX_EVENT_BYTES, MAX_REQUEST_BYTES
from ml_backend.predict.serving_models import ServingModels
from model.document.types import Box, Document, Entity, Line, Page, Word
from model.pipeline import Pipeline
from tests.conftest import card_png, png, print_card
from tests.ml_backend.backend import LABELS, POLYGONS, RECTANGLES, ImageTable, batch, build_backend, task


class OneWordReader:
    """Reads every image as one word of one field, wherever the picture is not broken; can be held up."""

    version = "one-word.1"

    def __init__(self):
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Event()

    def predict(self, data):
        self.entered.set()
        assert self.go_on.wait(30)
        box = Box(10, 10, 60, 30)
        line = Line("Ada", box.polygon(), 0.9, (Word("Ada", box, 0.9),))
        entity = Entity("NAME", "Ada", box, 0.8, 0, 1)
        return Document(Page(100, 50, (line,)), (entity,), 0.7, "engine", self.version)


@pytest.fixture
def reader():
    return OneWordReader()


@pytest.fixture
def make_backend(make_settings, reader):
    def make(**values):
        return build_backend(make_settings(**values), reader, None, ImageTable(a=b"a", b=b"b"))

    return make


@pytest.fixture
def backend(make_backend):
    return make_backend()


def event(action="ANNOTATION_CREATED", **more):
    return {
        "action": action,
        "annotation": {"id": 5, "task": 8, "result": [], "prediction": {"id": 11}},
        "task": {"id": 8, "data": {"image": "a"}},
        "project": {"id": 2, "title": "cards", "token": "invitation"},
    } | more


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_says_that_the_models_are_there(backend, path):
    answer = backend.client.get(path)
    assert answer.status_code == 200
    assert answer.json == {"status": "UP", "model_version": "one-word.1"}


def test_health_answers_while_a_model_works(backend, reader):
    reader.go_on.clear()
    slow = threading.Thread(target=backend.client.post, args=("/predict",), kwargs={"json": batch([task(1, "a")])})
    slow.start()
    assert reader.entered.wait(30)
    start = time.monotonic()
    assert backend.client.get("/health").status_code == 200
    assert backend.client.post("/webhook", json=event()).status_code == 201
    assert time.monotonic() - start < 1
    assert slow.is_alive()
    reader.go_on.set()
    slow.join(30)


def test_one_model_version_is_said_everywhere(backend):
    client = backend.client
    setup = client.post(
        "/setup", json={"project": "2.1795329414", "schema": RECTANGLES, "hostname": "", "extra_params": None}
    )
    predicted = client.post("/predict", json=batch([task(1, "a")])).json
    assert setup.json == {"model_version": "one-word.1"}
    assert client.get("/versions").json == {"versions": ["one-word.1"]}
    assert predicted["model_version"] == "one-word.1"
    assert predicted["results"][0]["model_version"] == "one-word.1"


class TwoReaders:
    """A champion and a challenger for project 2; for all others the one reader."""

    def __init__(self, reader, **how):
        self.versions = ("one-word.1", "p2-v2-00000002.aaaaaa")
        self.problems = {2: "Version 3 of project 2 cannot be loaded."}
        self.reader, self.how = reader, how

    def serving(self, project_id):
        if project_id != 2:
            return ServingModels(project_id, self.reader)
        challenger = OneWordReader()
        challenger.version = "p2-v2-00000002.aaaaaa"
        return ServingModels(2, self.reader, challenger, **self.how)

    def close(self):
        pass


@pytest.fixture
def make_two(make_settings, reader):
    def make(**how):
        models = TwoReaders(reader, **how)
        return build_backend(make_settings(), reader, None, ImageTable(a=b"a"), models=models).client

    return make


def test_each_project_hears_of_its_own_version(make_two):
    client = make_two(share=0.5)
    shared = client.post("/setup", json={"project": "2.1", "schema": RECTANGLES}).json["model_version"]
    predicted = client.post("/predict", json=batch([task(n, "a") for n in range(1, 9)])).json
    assert shared.startswith("p2-v0+v2@50-")
    assert {predicted["model_version"], *(item["model_version"] for item in predicted["results"])} == {shared}
    assert client.get("/versions?project=2.1").json == {"versions": [shared]}
    assert client.post("/setup", json={"project": "5.1", "schema": RECTANGLES}).json["model_version"] == "one-word.1"
    assert client.get("/versions").json == {"versions": ["one-word.1", "p2-v2-00000002.aaaaaa"]}


def test_where_both_predict_a_task_gets_both_predictions(make_two):
    client = make_two(both=True)
    (answer,) = client.post("/predict", json=batch([task(1, "a")])).json["results"]
    assert [item["model_version"] for item in answer] == ["one-word.1", "p2-v2-00000002.aaaaaa"]
    assert client.post("/setup", json={"project": "2.1", "schema": RECTANGLES}).json["model_version"] == "one-word.1"


def test_health_is_up_and_says_what_could_not_be_loaded(make_two):
    answer = make_two().get("/health")
    assert answer.status_code == 200
    assert answer.json["status"] == "UP"
    assert answer.json["model_problem"] == "Version 3 of project 2 cannot be loaded."


@pytest.mark.parametrize("schema", ["", "<View/>", "not xml", None])
def test_setup_takes_a_project_that_has_no_usable_configuration_yet(backend, schema):
    assert backend.client.post("/setup", json={"project": "2.1", "schema": schema}).status_code == 200


def test_a_batch_is_answered_element_by_element(backend):
    tasks = [task(7, "a"), task(8, "missing"), "no task", task(9, "b"), {"id": 10}]
    answer = backend.client.post("/predict", json=batch(tasks))
    assert answer.status_code == 200
    results = answer.json["results"]
    assert [bool(result) for result in results] == [True, False, False, True, False]
    assert results[1] == []
    prediction = results[0]
    assert prediction["score"] == 0.7
    assert {part["type"] for part in prediction["result"]} == {"rectanglelabels", "textarea"}
    assert backend.queue.jobs == [(2, 8)]


@pytest.mark.parametrize("project", [None, "", "x", 2, "2"])
def test_a_batch_is_answered_whatever_the_project_is_called(backend, project):
    answer = backend.client.post("/predict", json=batch([task(7, "a")]) | {"project": project})
    assert len(answer.json["results"]) == 1
    assert answer.json["results"][0]["result"]


@pytest.mark.parametrize("params", [None, {}, {"context": None}, {"context": {}}, {"context": {"result": None}}])
def test_without_a_drawing_the_whole_page_is_predicted(backend, params):
    answer = backend.client.post("/predict", json=batch([task(7, "a")]) | {"params": params})
    assert answer.json["results"][0]["result"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tasks": None},
        {"tasks": {"id": 1}},
        batch([]) | {"params": {"context": {"result": "?"}}},
        batch([]) | {"label_config": 3},
    ],
)
def test_a_request_that_is_none_is_refused_with_the_part_that_is_wrong(backend, body):
    answer = backend.client.post("/predict", json=body)
    assert answer.status_code == 400
    assert "missing or wrong" in answer.json["error"]


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"a":' * 50_000]
)
def test_what_is_no_json_object_is_refused(backend, path, body):
    answer = backend.client.post(path, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json) == {"error", "hint"}


def test_an_event_is_written_down_before_the_answer(backend):
    answer = backend.client.post("/webhook", json=event())
    assert answer.status_code == 201
    (stored,) = backend.services.store.pending_events()
    assert stored.action == "ANNOTATION_CREATED"
    assert (stored.project_id, stored.task_ids, stored.annotation_ids) == (2, (8,), (5,))
    assert stored.payload["annotation"] == event()["annotation"]


def test_the_invitation_token_of_a_project_is_not_kept(backend):
    backend.client.post("/webhook", json=event())
    (stored,) = backend.services.store.pending_events()
    assert stored.payload["project"] == {"id": 2, "title": "cards"}


@pytest.mark.parametrize(
    ("body", "project", "tasks", "annotations"),
    [
        ({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}, {"id": 2}], "project": {"id": 3}}, 3, (), (1, 2)),
        ({"action": "START_TRAINING", "project": {"id": 3}}, 3, (), ()),
        ({"action": "TASKS_CREATED", "tasks": [{"id": 4}, {"id": 5}], "project": {"id": 3}}, 3, (4, 5), ()),
        ({"action": "SOMETHING_NEW"}, None, (), ()),
        ({"action": "ODD", "project": 7, "task": None, "annotation": [3], "tasks": "x"}, 7, (), (3,)),
        ({"action": "ODD", "project": {"id": 10**30}, "tasks": [{"id": True}, {"id": -1}, {"id": "8"}]}, None, (), ()),
    ],
)
def test_events_of_every_kind_are_stored_with_what_they_are_about(backend, body, project, tasks, annotations):
    assert backend.client.post("/webhook", json=body).status_code == 201
    (stored,) = backend.services.store.pending_events()
    assert (stored.project_id, stored.task_ids, stored.annotation_ids) == (project, tasks, annotations)


@pytest.mark.parametrize("action", [None, 3, "", "a b", "\ud800", "A" * 65])
def test_an_event_without_a_name_is_refused(backend, action):
    answer = backend.client.post("/webhook", data=json.dumps({"action": action}))
    assert answer.status_code == 400
    assert backend.services.store.pending_events() == []


def test_an_event_that_comes_twice_is_known_as_one(backend):
    first, second = (backend.client.post("/webhook", json=event()).json for _ in range(2))
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert len(backend.services.store.pending_events()) == 1
    assert backend.metric('ml_backend_events_total{action="ANNOTATION_CREATED",duplicate="yes"}') == 1


def test_names_that_callers_make_up_do_not_become_metrics(backend):
    backend.client.post("/webhook", json={"action": "MADE_UP"})
    backend.client.get("/made/up")
    shown = backend.client.get("/metrics").text
    assert "MADE_UP" not in shown
    assert "made/up" not in shown
    assert backend.metric('ml_backend_events_total{action="other",duplicate="no"}') == 1


@pytest.mark.parametrize(("path", "limit"), [("/webhook", MAX_EVENT_BYTES), ("/predict", MAX_REQUEST_BYTES)])
def test_a_request_that_is_too_large_is_refused(backend, path, limit):
    body = b'{"action": "X", "tasks": [], "pad": "' + b"x" * limit + b'"}'
    answer = backend.client.post(path, data=body)
    assert answer.status_code == 413
    assert "larger" in answer.json["hint"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/predict", 405), ("POST", "/health", 405)]
)
def test_wrong_addresses_and_methods_are_answered_in_json(backend, method, path, status):
    answer = backend.client.open(path, method=method)
    assert answer.status_code == status
    assert set(answer.json) == {"error", "hint"}
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_bug_shows_in_the_log_and_not_in_the_answer(backend, monkeypatch, capfd):
    def fail(batch):
        raise ZeroDivisionError("internal detail")

    monkeypatch.setattr(backend.services.predictions, "predict", fail)
    answer = backend.client.post("/predict", json=batch([task(1, "a")]), headers={"X-Request-ID": "abc"})
    assert answer.status_code == 500
    assert set(answer.json) == {"error", "hint"}
    assert "internal detail" not in answer.text
    assert answer.headers["X-Request-ID"] == "abc"
    logged = "".join(capfd.readouterr())
    assert "ZeroDivisionError" in logged
    assert "Traceback" in logged


def test_what_a_thread_does_after_a_request_belongs_to_none(backend):
    assert backend.client.get("/health").headers["X-Request-ID"]
    assert get_contextvars() == {}


def test_a_store_that_fails_is_said_to_label_studio(backend):
    with backend.services.store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE events")
    answer = backend.client.post("/webhook", json=event())
    assert answer.status_code == 503
    assert "store" in answer.json["error"]


def test_metrics_count_requests_stages_and_the_version(backend):
    backend.client.post("/predict", json=batch([task(1, "a"), task(2, "b"), task(3, "missing")]))
    assert backend.client.get("/metrics").status_code == 200
    assert backend.metric('ml_backend_request_seconds_count{endpoint="predict",status="200"}') == 1
    assert backend.metric('ml_backend_stage_seconds_count{stage="models"}') == 2
    assert backend.metric('ml_backend_stage_seconds_count{stage="fetch"}') == 3
    assert backend.metric('ml_backend_model_info{model_version="one-word.1"}') == 1


# Interactive pre-annotation, with a real OCR engine


class PrintedCardReader:
    """Decodes like the pipeline does, and knows which words of the printed card are a name and an address."""

    version = "printed.1"

    def __init__(self, pipeline):
        self.decode = pipeline.decode

    def predict(self, data):
        name, mail = Box(40, 40, 300, 80), Box(40, 100, 400, 140)
        lines = (
            Line("Ada Lovelace", name.polygon(), 0.9, (Word("Ada Lovelace", name, 0.9),)),
            Line("ada@example.com", mail.polygon(), 0.9, (Word("ada@example.com", mail, 0.9),)),
        )
        entities = (
            Entity("NAME", "Ada Lovelace", name, 0.9, 0, 1),
            Entity("EMAIL", "ada@example.com", mail, 0.9, 1, 2),
        )
        return Document(Page(640, 300, lines), entities, 0.9, "engine", self.version)


@pytest.fixture
def drawing(make_settings, ocr_engine, tiny_extractor):
    """Draw on a printed card and return the regions of the answer."""
    images = ImageTable(
        card=card_png("Ada Lovelace", "ada@example.com"),
        tilted=png(print_card(["", "", "Ada Lovelace"], angle=20)),
        broken=b"no image",
    )
    pipeline = Pipeline(ocr_engine, tiny_extractor, max_image_bytes=10**7, max_image_pixels=10**7)
    backend = build_backend(make_settings(), PrintedCardReader(pipeline), ocr_engine, images)

    def draw(*parts, url="card", config=RECTANGLES, task_parts=None):
        answer = backend.client.post("/predict", json=batch([task(11, url) | (task_parts or {})], config, parts))
        assert answer.status_code == 200
        assert len(answer.json["results"]) == 1
        return answer.json["results"][0]

    draw.backend = backend
    return draw


def drawn(kind, value, *, labels=None, **more):
    """Return the part of a drawn region as Label Studio's editor serialises it, on a card of 640 × 300 pixels."""
    name = {"rectangle": "bbox", "polygon": "bbox"}.get(kind, "label")
    part = {
        "id": "z1",
        "from_name": name,
        "to_name": "image",
        "type": kind,
        "original_width": 640,
        "original_height": 300,
        "image_rotation": 0,
        "origin": "manual",
        "value": value | ({kind: labels} if labels is not None else {}),
    }
    return part | more


def rectangle(x0, y0, x1, y1, rotation=0):
    return {
        "x": x0 / 6.4, "y": y0 / 3, "width": (x1 - x0) / 6.4, "height": (y1 - y0) / 3, "rotation": rotation
    }  # fmt: skip


def text_of(answer):
    return next(part["value"]["text"] for part in answer["result"] if part["type"] == "textarea")


NAME = rectangle(34, 42, 260, 84)
MAIL = rectangle(34, 102, 342, 146)


def test_a_drawn_rectangle_comes_back_with_its_text_and_its_field(drawing):
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[]))
    label, text = answer["result"]
    assert text["value"]["text"] == ["ada@example.com"]
    assert label["value"]["rectanglelabels"] == ["EMAIL"]
    assert answer["model_version"] == "printed.1"
    for part in (label, text):
        assert part["id"] == "z1"
        assert {key: part["value"][key] for key in MAIL} == MAIL
        assert (part["original_width"], part["original_height"], part["image_rotation"]) == (640, 300, 0)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_what_is_drawn_along_a_turned_image_is_read_as_its_text_runs(drawing, quarters):
    """The person draws a level box on an image that lies on its side, or upside down."""
    card = Image.open(BytesIO(card_png("Ada Lovelace", "ada@example.com")))
    image = np.asarray(card.convert("RGB"))
    drawing.backend.images.images["turned"] = png(Image.fromarray(np.rot90(image, -quarters)))
    height, width = image.shape[:2]
    page = Page(width, height, (Line("", Box(34, 102, 342, 146).polygon(), 1, ()),)).turned(90 * quarters)
    box, across, down = page.lines[0].box, page.width / 100, page.height / 100
    value = {
        "x": box.x0 / across, "y": box.y0 / down, "width": box.width / across, "height": box.height / down,
        "rotation": 0,
    }  # fmt: skip
    part = drawn("rectanglelabels", value, labels=["EMAIL"], original_width=page.width, original_height=page.height)
    for view in (0, 360 - 90 * quarters):
        assert text_of(drawing(part | {"image_rotation": view}, url="turned")) == ["ada@example.com"]


def test_what_is_drawn_on_a_page_of_a_list_is_read_on_that_page(drawing):
    config = RECTANGLES.replace('value="$image"', 'valueList="$image"')
    pages = ["broken", None, "card"]
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[], item_index=2), url=pages, config=config)
    assert text_of(answer) == ["ada@example.com"]
    assert {part["item_index"] for part in answer["result"]} == {2}
    assert drawing.backend.images.asked == ["card"]
    for missing in (1, 3, -1):
        answer = drawing(drawn("rectanglelabels", MAIL, labels=[], item_index=missing), url=pages, config=config)
        assert answer["result"] == []


def test_a_label_that_a_person_chose_stays(drawing):
    answer = drawing(drawn("rectanglelabels", MAIL, labels=["COMPANY"]))
    assert answer["result"][0]["value"]["rectanglelabels"] == ["COMPANY"]
    assert text_of(answer) == ["ada@example.com"]


TYPED = {"type": "textarea", "from_name": "text"}


def typed(text, value=MAIL, **more):
    """Return the parts of a region with a text, as a draft of the task holds them."""
    return [
        drawn("rectanglelabels", value, labels=[]) | more,
        drawn("textarea", value | {"text": [text]}) | TYPED | more,
    ]


def test_a_text_that_comes_with_the_outline_stays(drawing):
    answer = drawing(*typed("what a person wrote"))
    assert text_of(answer) == ["what a person wrote"]
    assert answer["result"][0]["value"]["rectanglelabels"] == ["EMAIL"]


@pytest.mark.parametrize("where", ["drafts", "annotations"])
def test_a_text_that_a_person_has_typed_stays(drawing, where):
    # The box was drawn round the name before, and has been moved since.
    written = {where: [{"id": 1, "result": typed("what a person wrote", NAME), "updated_at": "2026-01-01T00:00:00Z"}]}
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[]), task_parts=written)
    assert text_of(answer) == ["what a person wrote"]
    assert answer["result"][0]["value"]["rectanglelabels"] == ["EMAIL"]


def test_a_text_that_was_read_is_read_again_where_the_box_was_moved(drawing):
    was_read = text_of(drawing(drawn("rectanglelabels", NAME, labels=[])))[0]
    written = {"drafts": [{"id": 1, "result": typed(was_read, NAME)}]}
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[]), task_parts=written)
    assert text_of(answer) == ["ada@example.com"]


def test_the_latest_draft_counts_and_no_other_region(drawing):
    drafts = [
        {"id": 1, "result": typed("early"), "updated_at": "2026-01-01T00:00:00Z"},
        {"id": 2, "result": typed("late"), "updated_at": "2026-01-02T00:00:00Z"},
        {"id": 3, "result": typed("of another", id="z2"), "updated_at": "2026-01-03T00:00:00Z"},
    ]
    annotations = [{"id": 4, "result": typed("submitted"), "updated_at": "2026-01-04T00:00:00Z"}]
    answer = drawing(drawn("rectanglelabels", MAIL), task_parts={"drafts": drafts, "annotations": annotations})
    assert text_of(answer) == ["late"]


@pytest.mark.parametrize(
    "written", [{"drafts": 7}, {"drafts": [None, {"result": 3}, {"result": [None, {}]}]}, {"annotations": {"a": 1}}]
)
def test_what_is_no_draft_is_passed_over(drawing, written):
    assert text_of(drawing(drawn("rectanglelabels", MAIL), task_parts=written)) == ["ada@example.com"]


TWO_GROUPS = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="who" toName="image"><Label value="NAME"/>'
    '</RectangleLabels><RectangleLabels name="where" toName="image"><Label value="EMAIL"/></RectangleLabels>'
    '<PolygonLabels name="outlines" toName="image"><Label value="COMPANY"/></PolygonLabels>'
    '<TextArea name="mail" toName="image" perRegion="true" whenLabelValue="EMAIL"/>'
    '<TextArea name="person" toName="image" perRegion="true" whenLabelValue="NAME"/>'
    '<TextArea name="rest" toName="image" perRegion="true"/></View>'
)


def names_of(answer):
    return [(part["from_name"], part["type"]) for part in answer["result"]]


def test_a_drawn_region_is_named_by_the_control_that_has_its_label(drawing):
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[], from_name="who"), config=TWO_GROUPS)
    assert names_of(answer) == [("where", "rectanglelabels"), ("mail", "textarea")]
    answer = drawing(drawn("rectanglelabels", NAME, labels=[], from_name="who"), config=TWO_GROUPS)
    assert names_of(answer) == [("who", "rectanglelabels"), ("person", "textarea")]
    # A polygon cannot have the label of a rectangle.
    points = {"points": [[MAIL["x"], MAIL["y"]], [55, MAIL["y"]], [55, 49], [MAIL["x"], 49]], "closed": True}
    answer = drawing(drawn("polygonlabels", points, labels=[], from_name="outlines"), config=TWO_GROUPS)
    assert names_of(answer) == [("outlines", "polygonlabels"), ("rest", "textarea")]
    assert answer["result"][0]["value"]["polygonlabels"] == []


def test_a_region_stays_with_the_tool_that_drew_it(drawing):
    config = LABELS.replace('<Rectangle name="bbox"', '<Polygon name="outline" toName="image"/><Rectangle name="bbox"')
    points = {"points": [[MAIL["x"], MAIL["y"]], [55, MAIL["y"]], [55, 49], [MAIL["x"], 49]], "closed": True}
    answer = drawing(drawn("polygon", points, from_name="outline"), config=config)
    assert names_of(answer) == [("outline", "polygon"), ("label", "labels"), ("transcription", "textarea")]


def test_what_is_drawn_on_a_page_of_a_repeater_is_read_on_that_page(drawing):
    config = (
        '<View><Repeater on="$image"><Image name="page_{{idx}}" value="$image[{{idx}}].file"/><RectangleLabels '
        'name="label_{{idx}}" toName="page_{{idx}}"><Label value="EMAIL"/></RectangleLabels>'
        '<TextArea name="text_{{idx}}" toName="page_{{idx}}" perRegion="true"/></Repeater></View>'
    )
    part = drawn("rectanglelabels", MAIL, labels=[], from_name="label_1", to_name="page_1")
    answer = drawing(part, url=[{"file": "broken"}, {"file": "card"}], config=config)
    assert names_of(answer) == [("label_1", "rectanglelabels"), ("text_1", "textarea")]
    assert text_of(answer) == ["ada@example.com"]
    assert {part["to_name"] for part in answer["result"]} == {"page_1"}


def test_a_line_of_no_field_is_text_where_a_label_says_so(drawing):
    config = LABELS.replace('<Label value="NAME"/>', '<Label value="Text"/>').replace("EMAIL", "Handwriting")
    answer = drawing(drawn("rectangle", MAIL), config=config)
    assert [part["value"].get("labels") for part in answer["result"]] == [None, ["Text"], None]


def test_labels_and_rectangle_apart_come_back_as_three_parts_of_one_region(drawing):
    answer = drawing(drawn("rectangle", NAME), config=LABELS)
    assert [(part["from_name"], part["type"]) for part in answer["result"]] == [
        ("bbox", "rectangle"),
        ("label", "labels"),
        ("transcription", "textarea"),
    ]
    assert answer["result"][1]["value"]["labels"] == ["NAME"]
    assert text_of(answer) == ["Ada Lovelace"]
    assert {part["id"] for part in answer["result"]} == {"z1"}


def test_where_no_field_is_known_the_region_comes_back_without_a_label(drawing):
    answer = drawing(drawn("rectangle", rectangle(400, 200, 600, 280)), config=LABELS)
    assert [part["type"] for part in answer["result"]] == ["rectangle", "textarea"]
    assert text_of(answer) == [""]


def test_a_drawn_polygon_comes_back_with_its_text(drawing):
    points = [[5, 14], [42, 14], [42, 28], [20, 28.5], [5, 28]]
    answer = drawing(drawn("polygonlabels", {"points": points, "closed": True}, labels=[]), config=POLYGONS)
    assert text_of(answer) == ["Ada Lovelace"]
    assert answer["result"][0]["value"]["points"] == points
    assert answer["result"][0]["value"]["polygonlabels"] == ["NAME"]


def test_a_rotated_rectangle_is_read_along_its_own_direction(drawing):
    # Where the corner of the name lands when the card is turned clockwise by 20 degrees about its middle.
    turn = np.deg2rad(20)
    x, y = 34 - 320, 162 - 150
    corner = (320 + x * np.cos(turn) - y * np.sin(turn), 150 + x * np.sin(turn) + y * np.cos(turn))
    value = {
        "x": corner[0] / 6.4, "y": corner[1] / 3, "width": 226 / 6.4, "height": 42 / 3, "rotation": 20
    }  # fmt: skip
    answer = drawing(drawn("rectanglelabels", value, labels=["NAME"]), url="tilted")
    assert text_of(answer) == ["Ada Lovelace"]
    assert answer["result"][0]["value"]["rotation"] == 20


def test_a_region_around_two_lines_comes_back_with_both(drawing):
    answer = drawing(drawn("rectanglelabels", rectangle(30, 36, 342, 150), labels=["NAME"]))
    assert text_of(answer) == ["Ada Lovelace ada@example.com"]


def test_a_region_measured_on_a_smaller_view_is_found_on_the_image(drawing):
    answer = drawing(drawn("rectanglelabels", MAIL, labels=[], original_width=320, original_height=150))
    assert text_of(answer) == ["ada@example.com"]


def test_several_regions_drawn_at_once_all_come_back(drawing):
    answer = drawing(drawn("rectanglelabels", NAME, labels=[]), drawn("rectanglelabels", MAIL, labels=[], id="z2"))
    texts = {part["id"]: part["value"]["text"] for part in answer["result"] if part["type"] == "textarea"}
    assert texts == {"z1": ["Ada Lovelace"], "z2": ["ada@example.com"]}


@pytest.mark.parametrize(
    "part",
    [
        drawn("rectanglelabels", {"x": "?"}, labels=[]),
        drawn("rectanglelabels", NAME, labels=[], to_name="elsewhere"),
        drawn("brushlabels", {"rle": []}),
        drawn("rectanglelabels", rectangle(0, 0, 10**7, 10**7), labels=[]),
        drawn("rectanglelabels", NAME, labels=[], id=None),
        {},
    ],
)
def test_what_cannot_be_read_gives_no_region(drawing, part):
    assert drawing(part)["result"] == []


def test_an_empty_drawing_gives_no_region_rather_than_those_of_the_whole_page(drawing):
    body = batch([task(11, "card")]) | {"params": {"context": {"result": []}}}
    (answer,) = drawing.backend.client.post("/predict", json=body).json["results"]
    assert answer["result"] == []


@pytest.mark.parametrize("url", ["broken", "missing"])
def test_a_drawing_on_an_image_that_fails_is_empty_and_not_queued(drawing, url):
    assert drawing(drawn("rectanglelabels", NAME, labels=[]), url=url) == []
    assert drawing.backend.queue.jobs == []
