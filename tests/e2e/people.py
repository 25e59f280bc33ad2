"""More people in the Label Studio of the tests: they follow the invitation, as a browser does."""

from __future__ import annotations

import uuid

import requests

from ml_backend.label_studio.client import LabelStudio
from ml_backend.launch.label_studio_login import make_access_token
from tests.e2e.conftest import System

_TIMEOUT = 60


def another_annotator(system: System) -> LabelStudio:
    """Sign a new person up, and return Label Studio as that person uses it."""
    invited = system.client.session.request("GET", "api/invite")["token"]
    email, password = f"{uuid.uuid4().hex[:12]}@example.com", "another password of the test"
    page = f"{system.url}/user/signup/?token={invited}"
    with requests.Session() as browser:
        browser.get(page, timeout=_TIMEOUT)
        headers = {"X-CSRFToken": browser.cookies.get("csrftoken") or "", "Referer": system.url}
        form = {"email": email, "password": password}
        answer = browser.post(page, data=form, headers=headers, timeout=_TIMEOUT, allow_redirects=False)
        assert answer.status_code == requests.codes.found, answer.text
    token = make_access_token(system.url, email=email, password=password)
    assert token is not None
    return LabelStudio(system.url, token, timeout=120)
