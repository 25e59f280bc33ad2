"""Commands find the Label Studio that was started beside them."""

import json
from pathlib import Path

import pytest

from ml_backend.cli.connection import connected
from ml_backend.settings import Settings

WRITTEN = {"label_studio_url": "http://127.0.0.1:8080", "api_key": "token", "backend_url": "http://127.0.0.1:9090"}


def settings(folder: Path, **ours: str) -> Settings:
    return Settings(_env_file=None, run_dir=folder, **ours)


def test_the_launch_of_the_same_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "connection.json").write_text(json.dumps(WRITTEN))
    found = connected(settings(tmp_path))
    assert found.label_studio_url == "http://127.0.0.1:8080"
    assert found.label_studio_api_key.get_secret_value() == "token"
    assert found.public_url == "http://127.0.0.1:9090"


def test_a_label_studio_that_is_named_wins(tmp_path: Path) -> None:
    (tmp_path / "connection.json").write_text(json.dumps(WRITTEN))
    named = settings(tmp_path, label_studio_url="https://ls.example", label_studio_api_key="mine")
    assert connected(named) is named


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "not JSON"])
def test_without_a_launch_nothing_changes(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "connection.json").write_text(content)
    given = settings(tmp_path)
    assert connected(given) is given
