"""The API keeps what its description promises, whatever is sent; thousands of cases: ``benchmarks/api_fuzz.py``."""

import pytest

from tests.ml_backend.api_backend import TOKEN, build_api

schemathesis = pytest.importorskip("schemathesis", reason="it needs Python 3.11")


def test_nothing_that_is_sent_breaks_the_api(make_settings):
    from benchmarks.api_fuzz import Tally, fuzz

    app, _ = build_api(make_settings(api_token=TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    description = app.test_client().get("/api/self-learning/openapi.json", headers=headers).json
    schema = schemathesis.openapi.from_dict(description)
    schema.app = app
    tally = Tally()
    fuzz(schema, tally, TOKEN, cases=40, start=1)
    assert tally.failures == {}
    assert tally.cases >= 38
