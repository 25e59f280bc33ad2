"""Tokens, refusals and retries."""

from __future__ import annotations

import json
import socket
import time

import jwt
import pytest

from ml_backend.errors import (
    LabelStudioError,
    LabelStudioUnreachableError,
    NotFoundError,
    TokenRefusedError,
)
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.session import Session
from tests.ml_backend.label_studio.local_server import Answer, as_json, redirect

WHOAMI = "/api/current-user/whoami"
USER = as_json({"id": 3, "email": "anna@example.com", "username": "anna"})


def token(kind, lifetime):
    claims = {"token_type": kind, "exp": int(time.time() + lifetime), "jti": str(time.monotonic_ns()), "user_id": 1}
    return jwt.encode(claims, "a key of some length that is only for tests", algorithm="HS256")


def test_a_legacy_token_is_sent_as_it_is(server):
    server.routes[WHOAMI] = USER

    assert LabelStudio(server.url, "0123abcd").whoami().email == "anna@example.com"
    assert server.requests[0].headers["authorization"] == "Token 0123abcd"


@pytest.mark.parametrize("prefix", ["", "/", "/ls", "/ls/"])
def test_a_personal_access_token_is_exchanged_once_and_kept(server, prefix):
    path = prefix.rstrip("/")
    access = token("access", 300)
    server.routes[f"POST {path}/api/token/refresh/"] = as_json({"access": access})
    server.routes[path + WHOAMI] = USER
    refresh = token("refresh", 3600)
    client = LabelStudio(server.url + prefix, refresh)

    client.whoami()
    client.whoami()

    assert server.paths() == [f"{path}/api/token/refresh/", path + WHOAMI, path + WHOAMI]
    assert server.requests[0].json == {"refresh": refresh}
    assert server.requests[2].headers["authorization"] == f"Bearer {access}"


def test_an_expired_access_token_is_exchanged_again(server):
    tokens = [token("access", -5), token("access", 300)]
    server.routes["POST /api/token/refresh/"] = lambda _: as_json({"access": tokens.pop(0)})
    server.routes[WHOAMI] = USER
    client = LabelStudio(server.url, token("refresh", 3600))

    client.whoami()
    client.whoami()

    assert tokens == []
    assert server.paths().count("/api/token/refresh/") == 2


def test_an_access_token_that_expired_by_label_studios_clock_is_exchanged_again(server):
    server.routes["POST /api/token/refresh/"] = lambda _: as_json({"access": token("access", 300)})
    server.routes[WHOAMI] = lambda _: as_json({"detail": "expired"}, 401) if len(server.requests) == 2 else USER
    client = LabelStudio(server.url, token("refresh", 3600))

    assert client.whoami().id == 3
    assert server.paths() == ["/api/token/refresh/", WHOAMI, "/api/token/refresh/", WHOAMI]


def test_an_expired_personal_access_token_is_said_at_once(server):
    with pytest.raises(TokenRefusedError, match="LABEL_STUDIO_API_KEY"):
        LabelStudio(server.url, token("refresh", -60))

    assert server.requests == []


def test_a_revoked_personal_access_token_is_a_refused_token(server):
    server.routes["POST /api/token/refresh/"] = as_json({"detail": "Token is blacklisted"}, 401)

    with pytest.raises(TokenRefusedError):
        LabelStudio(server.url, token("refresh", 3600)).whoami()


def test_the_token_is_never_part_of_an_error(server):
    server.routes[WHOAMI] = as_json({"detail": "Invalid token."}, 401)

    with pytest.raises(TokenRefusedError) as caught:
        LabelStudio(server.url, "0123abcd").whoami()

    assert "0123abcd" not in str(caught.value)
    assert "LABEL_STUDIO_API_KEY" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (as_json({"detail": "You do not have permission."}, 403), TokenRefusedError, "permission"),
        (as_json({"detail": "Not found."}, 404), NotFoundError, "404"),
        (Answer(404, b"<html>", {"Content-Type": "text/html"}), NotFoundError, "LABEL_STUDIO_URL"),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), LabelStudioError, "LABEL_STUDIO_URL"),
        (redirect("https://elsewhere.example/"), LabelStudioError, "LABEL_STUDIO_URL"),
        (
            as_json({"detail": "Validation error", "validation_errors": {"title": ["too short"]}}, 400),
            LabelStudioError,
            "too short",
        ),
        (as_json({"detail": "URL resolves to a reserved network address"}, 403), LabelStudioError, "ML_BLOCK_LOCAL_IP"),
    ],
    ids=["403", "404", "page 404", "page", "redirect", "400", "private"],
)
def test_refusals_name_the_remedy(server, answer, error, words):
    server.routes[WHOAMI] = answer

    with pytest.raises(error, match=words):
        LabelStudio(server.url, "0123abcd").whoami()


def test_a_token_exchange_that_answers_with_a_page_means_a_wrong_address(server):
    server.routes["POST /api/token/refresh/"] = Answer(502, b"<html>Bad gateway")
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_URL"):
        LabelStudio(server.url, token("refresh", 3600)).whoami()

    server.routes["POST /api/token/refresh/"] = as_json({"something": "else"})
    with pytest.raises(LabelStudioError, match="LABEL_STUDIO_URL"):
        LabelStudio(server.url, token("refresh", 3600)).whoami()


def test_a_host_that_is_down_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

    with pytest.raises(LabelStudioUnreachableError, match="LABEL_STUDIO_URL") as caught:
        LabelStudio(url, token("refresh", 3600)).whoami()
    assert caught.value.status == 503


def test_a_host_that_says_nothing_is_given_up(server):
    server.routes[WHOAMI] = Answer(200, b"{}", pause=2)
    start = time.monotonic()

    with pytest.raises(LabelStudioUnreachableError, match="too long"):
        LabelStudio(server.url, "0123abcd", timeout=0.3).whoami()

    assert time.monotonic() - start < 1.5


def test_reads_are_tried_again(server):
    server.routes[WHOAMI] = lambda _: Answer(503, b"") if len(server.requests) == 1 else USER

    assert LabelStudio(server.url, "0123abcd").whoami().id == 3
    assert len(server.requests) == 2


def test_writes_are_not_tried_again(server):
    server.routes["POST /api/projects/"] = Answer(503, b"")

    with pytest.raises(LabelStudioError):
        LabelStudio(server.url, "0123abcd").create_project("cards", "<View/>")

    assert len(server.requests) == 1


def test_label_studios_words_are_kept_back_where_they_may_quote_a_document(server):
    secret = "Got: {'text': ['Anna Beispiel']}"
    server.routes["POST /api/predictions/"] = as_json({"validation_errors": {"non_field_errors": [secret]}}, 400)
    session = Session(server.url, "0123abcd")

    with pytest.raises(LabelStudioError) as caught, session.explained("store it", reveal=False):
        session.request("POST", "api/predictions/", json={})

    assert "Anna" not in str(caught.value)
    assert "400" in str(caught.value)


def test_long_explanations_are_cut_and_freed_from_markup(server):
    server.routes[WHOAMI] = as_json({"detail": "<b>bad</b>\n" + "x" * 1000}, 400)

    with pytest.raises(LabelStudioError) as caught:
        LabelStudio(server.url, "0123abcd").whoami()

    assert "bad xxx" in str(caught.value)
    assert len(str(caught.value)) < 450


def test_an_answer_that_is_not_json_although_it_says_so(server):
    server.routes[WHOAMI] = Answer(200, json.dumps([1, 2])[:-1].encode(), {"Content-Type": "application/json"})

    with pytest.raises(LabelStudioError):
        LabelStudio(server.url, "0123abcd").whoami()
