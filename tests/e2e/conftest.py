"""A real system for the tests of this folder, brought up as people do: Label Studio, Redis, and all of the backend."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_backend.label_studio.client import LabelStudio
from ml_backend.ops.run_folder import MARK
from ml_backend.projects.setup import BackendAddress
from ml_backend.settings import Settings
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 1500
COMMAND = (sys.executable, "-m", "ml_backend", "run")
USER, PASSWORD = "label-studio", "a password of the test"
#: Few documents are enough for a run, and for the gate. The recogniser has time to see all lines as often as it may,
#: even where other tests take turns with it, and may lose a little more on rendered lines: chance is to decide nothing.
QUICK_LEARNING = {
    "MIN_TRAINING_SAMPLES": 30,
    "GATE_MIN_DOCUMENTS": 4,
    "TRAINING_BUDGET_SECONDS": 20,
    "RECOGNISER_BUDGET_SECONDS": 60,
    "RECOGNISER_FORGETTING_MARGIN": 0.003,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # The first test waits for the whole system to come up.
            item.add_marker(pytest.mark.timeout(START_SECONDS + 300))


@dataclass(frozen=True)
class System:
    """A running system, as a script finds it in ``connection.json``."""

    url: str
    email: str
    password: str
    api_key: str
    backend_url: str
    project_id: int
    run_dir: Path
    webhook_secret: str
    client: LabelStudio

    @property
    def auth(self) -> tuple[str, str]:
        return USER, PASSWORD

    @property
    def backend(self) -> BackendAddress:
        return BackendAddress(url=self.backend_url, user=USER, password=PASSWORD, webhook_secret=self.webhook_secret)


def clean_environment(**ours: object) -> dict[str, str]:
    """This process's environment without the settings of whoever runs the tests."""
    # A checkpoint that is being tried out stays.
    names = {name.upper() for name in Settings.model_fields} - {"EXTRACTOR_DIR"}
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    # Not started in the checkout, where somebody's .env may lie.
    inherited["PYTHONPATH"] = str(ROOT)
    return inherited | {name: str(value) for name, value in ours.items()}


@contextmanager
def launched(run_dir: Path, **settings: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the system with its files in ``run_dir``, and interrupt it in the end if it still runs."""
    ports = {"PORT": free_port(), "LABEL_STUDIO_PORT": free_port(), "REDIS_PORT": free_port()}
    # All tests share one system: none of their projects may be put out of memory by another's.
    environment = clean_environment(**{"RUN_DIR": run_dir, "LOADED_PROJECTS": 64} | ports | settings)
    with output_of(run_dir).open("a") as stream:
        process = subprocess.Popen(COMMAND, cwd=run_dir.parent, env=environment, stdout=stream, stderr=stream)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)


def output_of(run_dir: Path) -> Path:
    """Where a launch in ``run_dir`` writes what a person would see."""
    return run_dir.parent / "output.txt"


def wait_until_ready(process: "subprocess.Popen[bytes]", run_dir: Path) -> dict[str, Any]:
    """Return what stands in ``connection.json`` once it is there."""
    deadline = time.monotonic() + START_SECONDS
    while not (run_dir / "connection.json").exists():
        output = output_of(run_dir).read_text()
        if process.poll() is not None:
            pytest.fail(f"The system ended with status {process.returncode}:\n{output}")
        if time.monotonic() > deadline:
            pytest.fail(f"The system was not ready after {START_SECONDS} s:\n{output}")
        time.sleep(0.5)
    return json.loads((run_dir / "connection.json").read_text())


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    run_dir = tmp_path_factory.mktemp("system") / "run"
    with launched(run_dir, BASIC_AUTH_USER=USER, BASIC_AUTH_PASSWORD=PASSWORD, **QUICK_LEARNING) as process:
        connection = wait_until_ready(process, run_dir)
        secrets = json.loads((run_dir / "secrets.json").read_text())
        yield System(
            url=connection["label_studio_url"],
            email=connection["email"],
            password=connection["password"],
            api_key=connection["api_key"],
            backend_url=connection["backend_url"],
            project_id=connection["project_id"],
            run_dir=run_dir,
            webhook_secret=secrets["webhook_secret"],
            client=LabelStudio(connection["label_studio_url"], connection["api_key"], timeout=120),
        )
    assert process.returncode == 0, output_of(run_dir).read_text()
    assert not left_running(run_dir), "Ctrl-C left something running"


def left_running(run_dir: Path) -> list[str]:
    """Names of the processes that a launch in ``run_dir`` has started and that still run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(run_dir.absolute()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except (psutil.Error, OSError):
            continue
    return found
