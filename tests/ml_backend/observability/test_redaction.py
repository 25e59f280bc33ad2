"""No secret is left in a line, in whatever form it travels."""

import base64
import json
from urllib.parse import quote_plus

import pytest

from ml_backend.observability.redaction import SHORTEST, SHOWN, Redactor

SECRET = 'p@ss "word"/ü 17'
FORMS = {
    "plain": SECRET,
    "json": json.dumps({"password": SECRET}),
    "repr": repr({"password": SECRET}),
    "address": f"postgresql://u:{quote_plus(SECRET)}@host/db",
    "base64": base64.b64encode(SECRET.encode()).decode(),
}


def held(secret, text):
    return any(form in text for form in (secret, json.dumps(secret)[1:-1], quote_plus(secret)))


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_every_form_of_a_secret_is_taken_out(text):
    cleaned = Redactor([SECRET])(f"before {text} after")
    assert SHOWN in cleaned
    assert not held(SECRET, cleaned)
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@pytest.mark.parametrize("user", ["a", "ab", "abc", "label-studio"])
def test_basic_auth_is_taken_out_whatever_the_user_is_called(user):
    sent = base64.b64encode(f"{user}:{SECRET}".encode()).decode()
    cleaned = Redactor([SECRET])(f"Authorization: Basic {sent}")
    assert SHOWN in cleaned
    assert sent not in cleaned


def test_of_two_secrets_the_longer_one_goes_as_a_whole():
    assert Redactor(["secret", "secret-2"])("secret-2 and secret") == f"{SHOWN} and {SHOWN}"


def test_without_secrets_and_with_short_ones_a_text_stays_as_it_is():
    text = "one in ten is as it was"
    assert Redactor()(text) == text
    assert Redactor(["", "is"])(text) == text
    assert len("is") < SHORTEST


def test_a_redactor_does_not_show_what_it_knows():
    assert SECRET not in f"{Redactor([SECRET])!r} {Redactor([SECRET])}"
