"""The same answers under the label-studio-ml 2.x server: with that package where it is installed, and with a stand-in
that holds its contract."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from model.document.types import Box, Document, Line, Page, Word
from tests.ml_backend import label_studio_ml_contract
from tests.ml_backend.backend import RECTANGLES, ImageTable, batch, build_backend, task

ROOT = Path(__file__).parents[2]
BASIC = ("label-studio", "a password that is long")
WEBHOOK = {"X-Webhook-Secret": "a secret that is long"}


class TextReader:
    """Reads plain text."""

    version = "text.1"

    def predict(self, data):
        text = data.decode()
        box = Box(10, 10, 90, 30)
        line = Line(text, box.polygon(), 0.9, (Word(text, box, 0.9),))
        return Document(Page(100, 50, (line,)), (), 0.5, "text", self.version)


@pytest.fixture(params=["stand-in", "package"])
def adapter(request, monkeypatch, tmp_path):
    """The module ``ml_backend.label_studio_ml`` over the stand-in, and over the package itself."""
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    if request.param == "stand-in":
        label_studio_ml_contract.install(monkeypatch)
    else:
        reason = "label-studio-ml 2.x is not installed: pip install '.[label-studio-ml]'"
        pytest.importorskip("label_studio_ml.response", reason=reason)
        # Its application and credentials are the module's own.
        monkeypatch.delitem(sys.modules, "label_studio_ml.api", raising=False)
    monkeypatch.delitem(sys.modules, "ml_backend.label_studio_ml", raising=False)
    module = importlib.import_module("ml_backend.label_studio_ml")
    yield module
    module.provide(None)
    sys.modules.pop("ml_backend.label_studio_ml", None)


@pytest.fixture
def backend(make_settings):
    images = ImageTable(**{name: name.encode() for name in ("Ada", "Grace")})
    return build_backend(make_settings(), TextReader(), None, images)


@pytest.fixture
def serve(adapter, backend, make_settings, monkeypatch):
    """Return a client of the server over the backend's services, built as ``label-studio-ml start`` builds it."""
    monkeypatch.setattr(adapter, "build_services", lambda settings: backend.services)
    monkeypatch.setattr(adapter, "configure_logging", lambda *_: None)
    return lambda **settings: adapter.build_app(make_settings(**settings)).test_client()


def annotation_event(action="ANNOTATION_CREATED"):
    project = {"id": 2, "label_config": RECTANGLES, "token": "an invitation"}
    return {"action": action, "project": project, "task": {"id": 5}, "annotation": {"id": 9, "result": []}}


def test_predictions_are_those_of_our_own_server(serve, backend):
    body = batch([task(1, "Grace"), task(2, "Ada")])
    ours = backend.client.post("/predict", json=body).json["results"]
    theirs = serve().post("/predict", json=body).json["results"]
    assert [one["result"][-1]["value"]["text"] for one in theirs] == [["Grace"], ["Ada"]]
    for one in (*ours, *theirs):
        for part in one["result"]:
            # Made again for every prediction.
            part.pop("id")
    assert theirs == ours


def test_a_task_that_fails_keeps_its_place_and_is_left_to_the_background(serve, backend):
    results = serve().post("/predict", json=batch([task(1, "missing"), task(2, "Ada")])).json["results"]
    assert results[0] == []
    assert results[1]["model_version"] == "text.1"
    assert backend.queue.jobs == [(2, 1)]


def test_setup_names_the_version_that_predictions_carry(serve):
    answer = serve().post("/setup", json={"project": "2.179", "schema": RECTANGLES, "extra_params": None})
    assert answer.json == {"model_version": "text.1"}


def test_a_configuration_that_cannot_be_used_gives_empty_lists(serve):
    client = serve()
    assert client.post("/setup", json={"project": "2.179", "schema": "<View>"}).json == {"model_version": "text.1"}
    assert client.post("/predict", json=batch([task(1, "Ada")], "<View>")).json == {"results": [[]]}


def test_an_event_is_written_down_once_and_without_the_invitation(serve, backend):
    client = serve()
    first = client.post("/webhook", json=annotation_event())
    assert first.status_code == 201
    assert first.json["result"]["duplicate"] is False
    assert client.post("/webhook", json=annotation_event()).json["result"]["duplicate"] is True
    [event] = backend.services.store.pending_events()
    assert (event.action, event.project_id, event.task_ids, event.annotation_ids) == (
        "ANNOTATION_CREATED",
        2,
        (5,),
        (9,),
    )
    assert "token" not in event.payload["project"]
    assert backend.metric('ml_backend_events_total{action="ANNOTATION_CREATED",duplicate="no"}') == 1


def test_start_training_is_written_down_and_trains_nothing_there(serve, backend):
    event = {"action": "START_TRAINING", "project": {"id": 2, "label_config": RECTANGLES}}
    assert serve().post("/webhook", json=event).status_code == 201
    assert [each.action for each in backend.services.store.pending_events()] == ["START_TRAINING"]


def test_webhooks_need_their_secret_and_the_rest_basic_auth(serve, backend):
    client = serve(basic_auth_user=BASIC[0], basic_auth_password=BASIC[1], webhook_secret=WEBHOOK["X-Webhook-Secret"])
    body = batch([task(1, "Ada")])
    assert client.post("/predict", json=body).status_code == 401
    assert client.post("/predict", json=body, auth=BASIC).status_code == 200
    assert client.post("/predict", json=body, headers=WEBHOOK).status_code == 401
    assert client.post("/webhook", json=annotation_event()).status_code == 401
    assert backend.services.store.pending_events() == []
    assert client.post("/webhook", json=annotation_event(), headers=WEBHOOK).status_code == 201
    assert client.post("/webhook", json=annotation_event("START_TRAINING"), auth=BASIC).status_code == 201


def test_without_credentials_no_other_sites_name_is_answered(serve):
    other = {"Host": "evil.example:9090"}
    answer = serve().post("/predict", json=batch([]), headers=other)
    assert (answer.status_code, "TRUSTED_HOSTS" in answer.json["hint"]) == (400, True)
    login = {"basic_auth_user": BASIC[0], "basic_auth_password": BASIC[1]}
    assert serve(**login).post("/predict", json=batch([]), headers=other, auth=BASIC).status_code == 200


def test_the_regions_just_drawn_reach_the_service(adapter, backend, monkeypatch):
    seen = []
    monkeypatch.setattr(backend.services.predictions, "predict", lambda one: (seen.append(one) or [[]], "text.1"))
    adapter.provide(backend.services)
    model = adapter.DocumentModel(project_id="2", label_config=RECTANGLES)
    drawn = [{"id": "a", "type": "rectangle", "value": {}}]
    response = model.predict([task(1, "Ada")], context={"result": drawn}, login=None, password=None)
    assert (response.model_version, response.predictions) == ("text.1", [[]])
    assert (seen[0].project_id, seen[0].drawn) == (2, drawn)


def test_the_start_file_says_what_is_missing():
    """What ``label-studio-ml start`` runs; where the package is missing, its name is in the error."""
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/label_studio_ml/_wsgi.py", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    installed = importlib.util.find_spec("label_studio_ml") is not None
    assert "--port" in done.stdout if installed else "No module named 'label_studio_ml'" in done.stderr
