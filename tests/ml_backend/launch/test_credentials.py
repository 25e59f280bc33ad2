import json
from pathlib import Path

import pytest

from ml_backend.errors import LaunchError
from ml_backend.launch.credentials import load_credentials, save_credentials


def test_credentials_are_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "run" / "secrets.json"
    made = load_credentials(path)
    assert load_credentials(path) == made
    assert len({made.password, made.webhook_secret, made.redis_password}) == 3
    assert min(map(len, (made.password, made.webhook_secret, made.redis_password))) >= 16


def test_two_folders_have_different_secrets(tmp_path: Path) -> None:
    first, second = (load_credentials(tmp_path / name / "secrets.json") for name in ("a", "b"))
    assert first.password != second.password
    assert first.webhook_secret != second.webhook_secret


def test_only_their_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    save_credentials(path, load_credentials(path).with_api_key("a token"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_credentials(path).api_key == "a token"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"email": "a"'])
def test_damaged_file_is_said_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(LaunchError, match="is damaged"):
        load_credentials(path)


def test_a_folder_of_an_earlier_release_gets_the_token_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_credentials(path)
    older = json.loads(path.read_text())
    del older["api_token"]
    path.write_text(json.dumps(older))
    found = load_credentials(path)
    assert len(found.api_token) >= 16
    assert found.password == made.password
    assert load_credentials(path) == found
