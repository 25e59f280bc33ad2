"""``make env`` writes the secrets of Compose once."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ml_backend.errors import LaunchError
from ml_backend.launch.env_file import SECRETS, write_env_file
from ml_backend.settings import SHORTEST_TOKEN, Settings

ROOT = Path(__file__).parents[3]


def values(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.+)$", path.read_text("utf-8"), re.MULTILINE))


def test_a_new_file_has_every_secret_and_only_its_owner_reads_it(tmp_path):
    umask = os.umask(0)
    try:
        made = write_env_file(tmp_path / ".env")
    finally:
        os.umask(umask)
    assert set(made) == set(SECRETS) <= set(values(tmp_path / ".env"))
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_no_secret_is_used_twice_or_can_be_guessed_or_needs_quoting(tmp_path):
    write_env_file(tmp_path / "one")
    write_env_file(tmp_path / "two")
    one, two = ({name: values(tmp_path / file)[name] for name in SECRETS} for file in ("one", "two"))
    assert len({*one.values(), *two.values()}) == 2 * len(SECRETS)
    for secret in one.values():
        assert re.fullmatch(r"[A-Za-z0-9_-]{32,}", secret)
    assert len(one["LABEL_STUDIO_USER_TOKEN"]) == 40
    assert len(one["API_TOKEN"]) >= SHORTEST_TOKEN


def test_a_file_that_is_there_is_not_touched(tmp_path):
    write_env_file(tmp_path / ".env")
    before = (tmp_path / ".env").read_bytes()
    assert write_env_file(tmp_path / ".env") == ()
    assert (tmp_path / ".env").read_bytes() == before


def test_a_file_of_an_earlier_release_keeps_its_lines_and_gets_what_it_lacks(tmp_path):
    mine = "# mine\nexport API_TOKEN=my own\nLABEL_STUDIO_URL=https://labels.example.com\n#REDIS_PASSWORD=off"
    (tmp_path / ".env").write_text(mine)
    made = write_env_file(tmp_path / ".env")
    assert set(made) == set(SECRETS) - {"API_TOKEN"}
    assert (tmp_path / ".env").read_text().startswith(mine + "\n")
    assert set(made) <= set(values(tmp_path / ".env"))
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert write_env_file(tmp_path / ".env") == ()


def test_the_settings_take_the_file_for_make_run_too(tmp_path, make_settings):
    write_env_file(tmp_path / ".env")
    make_settings()  # forgets the environment
    settings = Settings(_env_file=tmp_path / ".env")
    assert settings.api_token.get_secret_value() == values(tmp_path / ".env")["API_TOKEN"]
    assert not settings.label_studio_url


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(LaunchError, match="missing"):
        write_env_file(tmp_path / "missing" / ".env")


def test_it_needs_nothing_but_python(tmp_path):
    program = "import sys; sys.path.insert(0, sys.argv[1]); from ml_backend.launch import env_file; "
    program += "env_file.DEFAULT_PATH = env_file.Path(sys.argv[2]); sys.exit(env_file.main())"
    path = tmp_path / ".env"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, str(ROOT), str(path)], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout.decode()
    assert not any(secret in done.stdout.decode() for secret in values(path).values() if len(secret) > 30)
