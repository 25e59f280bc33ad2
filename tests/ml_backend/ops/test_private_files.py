"""No other user can open what a role writes, whatever umask it was started under."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml_backend.store.atomic_write import replacing
from tests.conftest import free_port


def _environment(folder: Path, **more: str) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    folders = {"RUN_DIR": "run", "MODELS_DIR": "run/models", "TRAINING_DATA_DIR": "run/samples"}
    return own | {name: str(folder / path) for name, path in folders.items()} | more


def _readable_by_others(folder: Path) -> list[Path]:
    written = [folder / "run", *(folder / "run").rglob("*")]
    assert len(written) > 1
    return [path for path in written if path.stat().st_mode & 0o077]


def test_the_store_of_a_command_is_private(tmp_path):
    command = [sys.executable, "-m", "ml_backend", "migrate"]
    subprocess.run(command, env=_environment(tmp_path), umask=0o022, check=True, timeout=120, cwd=Path.cwd())
    assert (tmp_path / "run" / "store.sqlite3").exists()
    assert _readable_by_others(tmp_path) == []


@pytest.mark.parametrize("role", ["worker", "trainer"])
def test_what_a_role_started_by_itself_writes_is_private(tmp_path, redis_url, role):
    command = [sys.executable, "-m", f"ml_backend.cli.{role}"]
    away = {"LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}", "LABEL_STUDIO_API_KEY": "legacy-token"}
    environment = _environment(tmp_path, REDIS_URL=redis_url, WORKER_QUEUES="sync", LOG_FORMAT="json", **away)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, umask=0o022, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while f"{role}_ready" not in (tmp_path / "log").read_text():
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
    assert _readable_by_others(tmp_path) == []


def test_a_file_that_is_replaced_never_touches_the_umask_of_other_threads(tmp_path, monkeypatch):
    def refuse(_mask: int) -> int:
        raise AssertionError("another thread's file would get these rights")

    monkeypatch.setattr(os, "umask", refuse)
    with replacing(tmp_path / "file") as file:
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
