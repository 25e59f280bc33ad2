"""Who may call what."""

import pytest

from ml_backend.auth import Credentials
from tests.ml_backend.backend import ImageTable, batch, build_backend
from tests.ml_backend.test_protocol import OneWordReader

CALLS = [
    ("GET", "/", None),
    ("GET", "/health", None),
    ("GET", "/versions", None),
    ("GET", "/metrics", None),
    ("POST", "/setup", {"project": "1.1", "schema": ""}),
    ("POST", "/predict", batch([])),
]
EVENT = {"action": "START_TRAINING", "project": {"id": 1}}
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
        assert client.post("/webhook", json=EVENT, headers=headers).status_code == 401
    assert client.post("/webhook", json=EVENT, auth=("", "")).status_code == 401


def test_start_training_comes_with_basic_auth_instead_of_the_secret(make_client):
    client = make_client(**USER, **SECRET)
    assert client.post("/webhook", json=EVENT, auth=("label-studio", "pässword:1")).status_code == 201
    assert client.post("/webhook", json=EVENT, auth=("label-studio", "wrong")).status_code == 401


def test_the_webhook_needs_no_basic_auth_because_label_studio_sends_none(make_client):
    assert make_client(**USER).post("/webhook", json=EVENT).status_code == 201


def test_a_refused_event_is_not_even_parsed(make_client):
    assert make_client(**SECRET).post("/webhook", data=b"{").status_code == 401


def test_credentials_do_not_show_in_logs():
    assert "hush" not in f"{Credentials('user', 'hush', 'hush')!r} {Credentials('user', 'hush', 'hush')}"
