import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest

from ml_backend.errors import TokenRefusedError
from ml_backend.label_studio.records import User
from ml_backend.ops.doctor.connection_checks import look_at_address, look_at_token, read_token
from ml_backend.ops.doctor.targets import Connection
from tests.conftest import free_port


def personal(**claims):
    return jwt.encode({"token_type": "refresh", **claims}, "a secret of the tests, long enough for the rule")


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("0123456789abcdef0123456789abcdef01234567", "legacy"),
        (personal(), "personal"),
        (jwt.encode({"token_type": "access"}, "a secret of the tests, long enough for the rule"), "access"),
        ("half a token", "unknown"),
        ("a.b.c", "unknown"),
        ("", "unknown"),
        ("eyJhbGciOiJIUzI1NiJ9.WzFd.x", "unknown"),
        ("x.bnVsbA.y", "unknown"),
    ],
)
def test_the_kind_of_a_token_is_seen_in_the_token(token, kind):
    assert read_token(token).kind == kind


@pytest.fixture
def website():
    """A server that answers every path with what a test wants."""
    answer = {"status": 200, "body": b"", "headers": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["status"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answer
    server.shutdown()
    server.server_close()


def link(make_settings, url="", token="", client=None):
    settings = make_settings(label_studio_url=url, label_studio_api_key=token)
    return Connection(settings, lambda: client)


def test_a_label_studio_that_is_not_set_is_said_with_both_ways_out(make_settings):
    (seen,) = look_at_address(link(make_settings))
    assert seen.state == "error"
    assert "LABEL_STUDIO_URL" in str(seen.remedy)
    assert "make run" in str(seen.remedy)


def test_a_label_studio_that_is_down_is_named_with_its_address(make_settings):
    url = f"http://user:hidden@127.0.0.1:{free_port()}"
    (seen,) = look_at_address(link(make_settings, url, "x"))
    assert seen.state == "error"
    assert "does not answer" in str(seen.found)
    assert "hidden" not in str(seen.found)


def test_another_program_at_the_address_is_not_taken_for_label_studio(make_settings, website):
    url, answer = website
    answer["body"] = b"<html>Something else</html>"
    (seen,) = look_at_address(link(make_settings, url, "x"))
    assert seen.state == "error"
    assert "A program other than" in str(seen.found)


def test_a_redirect_is_said_with_its_target(make_settings, website):
    url, answer = website
    answer |= {"status": 301, "headers": {"Location": "https://labels.example/api/version/"}}
    (seen,) = look_at_address(link(make_settings, url, "x"))
    assert "https://labels.example/" in str(seen.found)
    assert "final address" in str(seen.remedy)


def test_a_label_studio_that_answers_says_its_version(make_settings, website):
    url, answer = website
    answer["body"] = json.dumps({"release": "1.23.2"}).encode()
    (seen,) = look_at_address(link(make_settings, url, "x"))
    assert seen.state == "ok"
    assert "1.23.2" in str(seen.found)


class Refusing:
    def whoami(self):
        raise TokenRefusedError("Label Studio did not say who the token belongs to: it refuses the token.")

    def close(self):
        pass


class Accepting(Refusing):
    def whoami(self):
        return User(1, "ada@example.com")


def test_an_expired_token_is_known_without_asking(make_settings):
    (seen,) = look_at_token(link(make_settings, "http://x", personal(exp=1_000_000_000)))
    assert (seen.state, str(seen.found)) == ("error", "The personal access token expired on 2001-09-09.")


def test_a_refused_legacy_token_is_told_that_legacy_tokens_are_off(make_settings):
    (seen,) = look_at_token(link(make_settings, "http://x", 40 * "a", Refusing()))
    assert "legacy tokens are off by default" in str(seen.found)
    assert "Personal Access Token" in str(seen.remedy)


def test_a_refused_personal_token_is_told_to_be_made_anew(make_settings):
    (seen,) = look_at_token(link(make_settings, "http://x", personal(), Refusing()))
    assert "revoked" in str(seen.found)


def test_an_accepted_token_says_whose_it_is(make_settings):
    (seen,) = look_at_token(link(make_settings, "http://x", personal(), Accepting()))
    assert (seen.state, "ada@example.com" in str(seen.found)) == ("ok", True)
