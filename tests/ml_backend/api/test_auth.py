"""Who may call what."""

import base64
from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.api.auth import Credentials
from ml_backend.api.limits import MAX_HINT_BYTES
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import HINT_WINDOW, TRAINING_HINT
from tests.ml_backend.api.test_protocol import OneWordReader
from tests.ml_backend.backend import ImageTable, batch, build_backend

CALLS = [
    ("GET", "/", None),
    ("GET", "/health", None),
    ("GET", "/versions", None),
    ("GET", "/metrics", None),
    ("POST", "/setup", {"project": "1.1", "schema": ""}),
    ("POST", "/predict", batch([])),
]
EVENT = {"action": "START_TRAINING", "project": {"id": 1}}
OTHER = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
USER = {"basic_auth_user": "label-studio", "basic_auth_password": "pässword:1"}
SECRET = {"webhook_secret": "hush"}


@pytest.fixture
def make_client(make_settings):
    def make(**values):
        return build_backend(make_settings(**values), OneWordReader(), None, ImageTable()).client

    return make


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_without_credentials_set_everyone_is_let_in(make_client, method, path, body):
    assert make_client().open(path, method=method, json=body).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_basic_auth_guards_all_that_label_studio_authenticates(make_client, method, path, body):
    client = make_client(**USER, **SECRET)
    call = {"method": method, "json": body}
    assert client.open(path, **call, auth=("label-studio", "pässword:1")).status_code == 200
    for wrong in [("label-studio", "password"), ("other", "pässword:1"), ("", ""), ("label-studio", "")]:
        assert client.open(path, **call, auth=wrong).status_code == 401
    for header in ["Bearer pässword:1", "Basic", "Basic !!!", "Basic bGFiZWw=", "Token hush"]:
        assert client.open(path, **call, headers={"Authorization": header.encode()}).status_code == 401
    refused = client.open(path, **call, headers={"X-Webhook-Secret": "hush"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    assert set(refused.json) == {"error", "hint"}


def test_the_webhook_takes_its_secret_and_nothing_else(make_client):
    client = make_client(**SECRET)
    assert client.post("/webhook", json=EVENT, headers={"X-Webhook-Secret": "hush"}).status_code == 201
    for headers in [{}, {"X-Webhook-Secret": ""}, {"X-Webhook-Secret": "hush!"}, {"X-Secret": "hush"}]:
        assert client.post("/webhook", json=OTHER, headers=headers).status_code == 401
    assert client.post("/webhook", json=OTHER, auth=("", "")).status_code == 401


def test_start_training_comes_with_basic_auth_instead_of_the_secret(make_client):
    client = make_client(**USER, **SECRET)
    assert client.post("/webhook", json=EVENT, auth=("label-studio", "pässword:1")).status_code == 201
    assert client.post("/webhook", json=EVENT, auth=("label-studio", "wrong")).status_code == 202
    assert client.post("/webhook", json=OTHER, auth=("label-studio", "wrong")).status_code == 401


def test_the_webhook_needs_no_basic_auth_because_label_studio_sends_none(make_client):
    assert make_client(**USER).post("/webhook", json=EVENT).status_code == 201


def test_a_refused_event_is_not_told_what_else_is_wrong_with_it(make_client):
    client = make_client(**SECRET)
    assert client.post("/webhook", data=b"{").status_code == 401
    assert client.post("/webhook", data=b"x" * (MAX_HINT_BYTES + 1)).status_code == 401


@pytest.fixture
def with_project(make_settings):
    """A backend that demands the secret and knows project 1."""
    backend = build_backend(make_settings(**SECRET), OneWordReader(), None, ImageTable())
    LearningStore(backend.services.store.engine).note_synced(1, cursor=None, compared=True)
    return backend


def test_start_training_without_any_credential_is_a_hint(with_project):
    body = EVENT | {"project": {"id": 1, "title": "made up"}, "more": "x" * 1000}
    answer = with_project.client.post("/webhook", json=body)
    assert (answer.status_code, answer.json) == (202, {"status": "noted"})
    (stored,) = with_project.services.store.pending_events(1)
    assert (stored.action, stored.payload) == (TRAINING_HINT, {"action": TRAINING_HINT})


def test_hints_are_not_listened_to_all_the_time(with_project):
    client, store = with_project.client, with_project.services.store
    for _ in range(3):
        client.post("/webhook", json=EVENT)
    assert len(store.pending_events(1)) == 1
    assert store.add_hint(1) == "too soon"
    store.mark_processed(event.id for event in store.pending_events(1))
    assert store.add_hint(1) == "too soon"
    later = datetime.now(timezone.utc) + HINT_WINDOW
    assert store.add_hint(1, received_at=later) == "noted"


def test_hints_of_two_projects_do_not_lose_each_other(with_project):
    LearningStore(with_project.services.store.engine).note_synced(2, cursor=None, compared=True)
    for project in (1, 2):
        with_project.client.post("/webhook", json=EVENT | {"project": {"id": project}})
    found = [with_project.services.store.pending_events(project) for project in (1, 2)]
    assert [[event.action for event in events] for events in found] == [[TRAINING_HINT]] * 2


def test_a_hint_counts_also_after_the_clock_was_set_back(with_project):
    store = with_project.services.store
    now = datetime.now(timezone.utc)
    assert [store.add_hint(1, received_at=now - timedelta(hours=hours)) for hours in (0, 1)] == ["noted", "noted"]
    assert len(store.pending_events(1)) == 2


def test_the_answer_to_a_hint_does_not_tell_which_projects_there_are(with_project):
    answers = [
        with_project.client.post("/webhook", json=EVENT | {"project": {"id": project}}) for project in (1, 1, 2, 10**9)
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert with_project.services.store.pending_events(2) == []


def test_other_events_without_the_secret_are_refused(with_project):
    for body in [{"action": "START_TRAINING"}, EVENT | {"action": "TRAINING_HINT"}, OTHER]:
        assert with_project.client.post("/webhook", json=body).status_code == 401
    assert with_project.services.store.pending_events() == []


def test_credentials_do_not_show_in_logs():
    assert "hush" not in f"{Credentials('user', 'hush', 'hush')!r} {Credentials('user', 'hush', 'hush')}"


@pytest.mark.parametrize("raw", [b"\xff\xfe:p", b"label-studio:\xff", b"\xff", b"\xed\xa0\x80:p"])
def test_credentials_that_are_no_utf_8_are_wrong_ones(make_client, raw):
    client = make_client(**USER, **SECRET, api_token="a token of the tests")
    headers = {"Authorization": b"Basic " + base64.b64encode(raw)}
    assert client.get("/versions", headers=headers).status_code == 401
    assert client.post("/webhook", json=OTHER, headers=headers).status_code == 401
    assert client.get("/health", headers={"Authorization": b"Basic \xff\xff"}).status_code == 401
