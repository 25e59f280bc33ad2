"""The whole backend under gunicorn, as `make run` starts it, with a tiny extractor."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import FIELDS, card_png, free_port
from tests.ml_backend.backend import LABELS, batch, task
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model

COMMAND = [sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()"]
AUTH = ("label-studio", "password")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A backend of two processes, its address and the folder it writes to; Redis is down."""
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RUN_DIR": str(folder / "run"),
        "PORT": str(port),
        "WEB_WORKERS": "2",
        "INFERENCE_THREADS": "1",
        "OCR_ENGINE": "rapidocr",
        "EXTRACTOR_DIR": str(save_checkpoint(folder / "tiny", *tiny_model(FIELDS))),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "BASIC_AUTH_USER": AUTH[0],
        "BASIC_AUTH_PASSWORD": AUTH[1],
        "WEBHOOK_SECRET": "hush",
        "LOG_FORMAT": "json",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(COMMAND, env=environment, stderr=log, stdout=log, umask=0o022)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 150
        while not _is_up(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.5)
        yield url, folder
    finally:
        process.terminate()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", auth=AUTH, timeout=1).status_code == 200
    except requests.RequestException:
        return False


def test_no_other_user_can_open_what_the_server_writes(server):
    _, folder = server
    written = list((folder / "run").rglob("*"))
    assert (folder / "run" / "store.sqlite3") in written
    assert [path for path in [folder / "run", *written] if path.stat().st_mode & 0o077] == []


def test_the_first_health_within_label_studios_second_means_that_models_are_warm(server):
    url, _ = server
    image = "data:image/png;base64," + base64.b64encode(card_png("Ada Lovelace", "ada@example.com")).decode()
    answer = requests.post(f"{url}/predict", json=batch([task(1, image), task(2, "x")], LABELS), auth=AUTH, timeout=100)
    assert answer.status_code == 200
    prediction, empty = answer.json()["results"]
    texts = [part["value"]["text"][0] for part in prediction["result"] if part["type"] == "textarea"]
    assert "ada@example.com" in "".join(texts).replace(" ", "")
    assert empty == []
    setup = requests.post(f"{url}/setup", json={"project": "2.1", "schema": LABELS}, auth=AUTH, timeout=3).json()
    assert setup["model_version"] == prediction["model_version"] == answer.json()["model_version"]


def test_a_webhook_is_answered_well_within_its_second(server):
    url, _ = server
    event = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "project": {"id": 2}}
    times = []
    for number in range(20):
        start = time.monotonic()
        sent = event | {"task": {"id": number + 1}}
        answer = requests.post(f"{url}/webhook", json=sent, headers={"X-Webhook-Secret": "hush"}, timeout=10)
        times.append(time.monotonic() - start)
        assert answer.status_code == 201
    assert sorted(times)[10] < 0.5
    assert requests.post(f"{url}/webhook", json=event, timeout=10).status_code == 401


def test_both_processes_count_together_and_a_queue_that_is_down_is_counted(server):
    url, _ = server
    for number in range(6):
        missing = batch([task(number + 1, "/data/upload/nothing.png")], LABELS)
        # A session of its own each time, so that either process may take it.
        assert requests.post(f"{url}/predict", json=missing, auth=AUTH, timeout=100).json()["results"] == [[]]
    shown = requests.get(f"{url}/metrics", auth=AUTH, timeout=10).text
    failures = next(line for line in shown.splitlines() if line.startswith("ml_backend_queue_failures_total"))
    assert float(failures.rpartition(" ")[2]) >= 6
    assert shown.count("ml_backend_model_info{") == 1


def test_every_line_of_the_log_is_json_and_holds_no_secret(server):
    _, folder = server
    text = (folder / "log").read_text()
    assert "answered" in [json.loads(line)["event"] for line in text.splitlines()]
    for secret in ("hush", AUTH[1], "Lovelace"):
        assert secret not in text


def test_a_start_that_cannot_work_says_why(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "RUN_DIR": str(tmp_path / "run"),
        "PORT": str(free_port()),
        "OCR_ENGINE": "rapidocr",
        "EXTRACTOR_DIR": str(tmp_path / "nothing"),
    }
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode != 0
    assert "EXTRACTOR_DIR" in done.stderr
    assert "Traceback" not in done.stderr
