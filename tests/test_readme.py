"""The README names every setting, with its default, and every route."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
ROWS = {m[1]: m[2].strip().strip("`") for m in re.finditer(r"^\| `([A-Z_]+)` \|([^|]*)\|", README, re.MULTILINE)}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_table_with_its_default(name):
    default = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    assert ROWS[name.upper()] == ("" if default is None else str(default))


def test_the_table_names_no_setting_that_does_not_exist():
    assert {name.lower() for name in ROWS} == set(Settings.model_fields)


def test_every_route_of_the_self_learning_api_is_named():
    section = README.partition("## The self-learning API")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:GET|POST) /[^`?]*)`", section))
    from ml_backend.api.learning import routes
    from ml_backend.api.learning_views import Views

    served = {f"{route.method} {route.path}" for route in routes(Views(None, share=0.0, both=False))}
    assert named == served | {"GET /openapi.json"}
