"""Under which names the backend answers."""

import pytest
from flask import Request
from pydantic import ValidationError

from ml_backend.api.trusted_hosts import TrustedHosts
from ml_backend.errors import RequestError
from tests.ml_backend.api.test_protocol import OneWordReader
from tests.ml_backend.backend import ImageTable, build_backend

EVIL = {"Host": "evil.example:9090"}
TOKEN = "a token of the tests"


@pytest.fixture
def make_client(make_settings):
    def make(**values):
        return build_backend(make_settings(**values), OneWordReader(), None, ImageTable()).client

    return make


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:9090", "[::1]:9090", "192.0.2.7", "localhost", "LOCALHOST:9090", "api", "host.docker.internal"),
        *("printer.local", "api.backend.svc", "api.backend.svc.cluster.local:9090"),
        *("backend.example.com", "Backend.Example.com:443", "panel.example.org", "a.wide.example", "b.a.wide.example"),
    ],
)
def test_addresses_local_names_and_those_of_the_settings_are_trusted(make_settings, host):
    settings = make_settings(
        backend_url="https://Backend.example.com/", trusted_hosts="Panel.example.org, .wide.example"
    )
    assert TrustedHosts(settings).trusts(host)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:9090", "internal.example"),
        *("backend.example.com.evil.example", "xbackend.example.com", "svc.evil", "notlocal.evil", "", "a/b", "a b"),
        *("panel.example.org@evil.example", "[evil.example]", "localhost:99999"),
    ],
)
def test_no_other_name_is_trusted(make_settings, host):
    settings = make_settings(backend_url="https://backend.example.com/", trusted_hosts="panel.example.org")
    assert not TrustedHosts(settings).trusts(host)


@pytest.mark.parametrize("path", ["/admin/login", "/admin/", "/admin/static/panel.css", "/nothing", "/admin/nothing"])
def test_the_panel_refuses_an_unknown_name_and_names_the_setting(make_client, path):
    for values in ({}, {"basic_auth_user": "u", "basic_auth_password": "p"}, {"webhook_secret": "hush"}):
        answer = make_client(api_token=TOKEN, **values).get(path, headers=EVIL)
        assert answer.status_code == 400
        assert "TRUSTED_HOSTS" in answer.json["hint"]
        assert "Set-Cookie" not in answer.headers


def test_the_panel_answers_under_the_name_that_the_settings_add(make_client):
    client = make_client(api_token=TOKEN, trusted_hosts="evil.example")
    assert client.get("/admin/login", headers=EVIL).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("GET", "/versions"), ("GET", "/metrics"), ("POST", "/predict")]
)
def test_the_protocol_without_credentials_is_closed_to_other_sites_and_with_them_open_under_any_name(
    make_client, method, path
):
    body = {"tasks": [], "label_config": "<View/>"} if method == "POST" else None
    assert make_client().open(path, method=method, json=body, headers=EVIL).status_code == 400
    client = make_client(basic_auth_user="u", basic_auth_password="p")
    assert client.open(path, method=method, json=body, headers=EVIL).status_code == 401
    assert client.open(path, method=method, json=body, headers=EVIL, auth=("u", "p")).status_code != 401
    assert client.get("/health", headers=EVIL, auth=("u", "p")).status_code == 200


def test_a_webhook_needs_its_secret_or_a_known_name(make_client):
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
    assert make_client().post("/webhook", json=event, headers=EVIL).status_code == 400
    assert make_client().post("/webhook", json=event).status_code == 201
    secret = EVIL | {"X-Webhook-Secret": "hush"}
    assert make_client(webhook_secret="hush").post("/webhook", json=event, headers=secret).status_code == 201


def test_a_request_without_a_name_comes_from_no_browser(make_settings):
    TrustedHosts(make_settings()).check(Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/health"}))
    with pytest.raises(RequestError, match="TRUSTED_HOSTS"):
        TrustedHosts(make_settings()).check(Request({"REQUEST_METHOD": "GET", "HTTP_HOST": "evil.example"}))


@pytest.mark.parametrize("value", ["https://a.example", "a.example:80", "a.example/x", "*.a.example", "a b"])
def test_what_is_no_host_name_stops_the_start(make_settings, value):
    with pytest.raises(ValidationError, match="host names"):
        make_settings(trusted_hosts=value)
