"""What is killed or held still in the middle of the loop: nothing is lost or done twice, and it goes on by itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.store.annotations import ASKED, LearningStore
from ml_backend.store.events import Store
from tests.conftest import free_port
from tests.e2e.conftest import System, clean_environment
from tests.e2e.projects import a_region, new_project, printed_cards
from tests.e2e.versions import register, registry_of
from tests.e2e.waiting import until

OUTAGE_SECONDS = 10


@pytest.fixture
def labelled(system: System, tmp_path: Path) -> tuple[int, int]:
    """A connected project with a pre-labelled card: the project's and the task's number."""
    project_id = new_project(system.client)
    plan = ProjectPlan("", "", project_id=project_id, images=printed_cards(tmp_path, 1))
    ensure_project(system.client, plan, system.backend)
    (task,) = system.client.tasks(project_id)
    return project_id, task.id


@contextmanager
def stopped(system: System, service: str) -> Iterator[None]:
    """Hold a service of the running system still, as a machine that hangs; let it go on in the end."""
    number = int((system.run_dir / "pids" / f"{service}.pid").read_text())
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


@contextmanager
def learned_of(run_dir: Path) -> Iterator[LearningStore]:
    store = Store(f"sqlite:///{run_dir / 'store.sqlite3'}")
    try:
        yield LearningStore(store.engine)
    finally:
        store.close()


def test_an_annotation_made_while_redis_hangs_is_learned_of_afterwards(
    system: System, labelled: tuple[int, int]
) -> None:
    project_id, task_id = labelled
    with stopped(system, "redis"):
        start = time.monotonic()
        made = system.client.create_annotation(task_id, a_region())
        assert time.monotonic() - start < 5, "Label Studio's user does not wait for Redis"
        time.sleep(OUTAGE_SECONDS)
    with learned_of(system.run_dir) as learning:
        until(lambda: made.id in learning.live_ids(project_id), "the sync")


def test_an_annotation_whose_event_came_while_label_studio_hangs_is_learned_of_afterwards(
    system: System, labelled: tuple[int, int]
) -> None:
    project_id, task_id = labelled
    made = system.client.create_annotation(task_id, a_region())
    with stopped(system, "label-studio"):
        time.sleep(OUTAGE_SECONDS)
    with learned_of(system.run_dir) as learning:
        until(lambda: made.id in learning.live_ids(project_id), "the sync")


def test_an_annotation_whose_event_was_missed_is_learned_of_by_asking(
    system: System, labelled: tuple[int, int]
) -> None:
    project_id, task_id = labelled
    for hook in system.client.webhooks(project_id):
        system.client.delete_webhook(hook.id)
    made = system.client.create_annotation(task_id, a_region())
    with learned_of(system.run_dir) as learning:
        learning.ask_sync(project_id)
        until(lambda: made.id in learning.live_ids(project_id), "the sync")


def test_events_that_a_killed_server_acknowledged_are_there(tmp_path: Path) -> None:
    port = free_port()
    environment = clean_environment(RUN_DIR=tmp_path / "run", PORT=port, INFERENCE_THREADS=1, LOG_LEVEL="ERROR")
    command = (sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()")
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    try:
        until(lambda: _answers(f"http://127.0.0.1:{port}/health"), "the start", 300)
        for number in range(50):
            event = {"action": "ANNOTATION_CREATED", "project": {"id": 3}, "annotation": {"id": number + 1}}
            assert requests.post(f"http://127.0.0.1:{port}/webhook", json=event, timeout=10).status_code == 201
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)
    store = Store(f"sqlite:///{tmp_path / 'run' / 'store.sqlite3'}")
    events = store.pending_events(3)
    store.close()
    assert [event.annotation_ids for event in events] == [(number + 1,) for number in range(50)]


def test_a_rescoring_whose_worker_is_killed_is_taken_up_without_pushing_twice(system: System, tmp_path: Path) -> None:
    project_id = new_project(system.client)
    cards = printed_cards(tmp_path, 8)
    tasks = set(system.client.upload_files(project_id, cards))
    run_dir = tmp_path / "run"
    version = register(run_dir, project_id, tmp_path, nudge=7)
    registry_of(run_dir).promote(project_id, version.number)

    def pushed() -> list[int]:
        return [item.task for item in system.client.predictions(project_id=project_id) if "-v" in item.model_version]

    def rescored(learning: LearningStore) -> bool:
        state = learning.project(project_id)
        return state is not None and state.rescored_version not in (None, ASKED)

    with learned_of(run_dir) as learning:
        learning.note_synced(project_id, cursor=None, compared=True)
        # The project is not connected to a backend, so a person has to ask for it.
        learning.set_rescored(project_id, ASKED)
        with worker(system, run_dir):
            until(lambda: len(pushed()) >= 2, "the first predictions", 300)
        assert len(pushed()) < len(tasks), "too fast to be killed half way"
        with worker(system, run_dir):
            until(lambda: rescored(learning), "the rescoring", 300)
    assert sorted(pushed()) == sorted(tasks)
    assert system.client.project(project_id).model_version.startswith(version.name)


@contextmanager
def worker(system: System, run_dir: Path) -> Iterator[None]:
    """A worker with a store of its own beside the running system's, killed without warning in the end."""
    redis = json.loads((system.run_dir / "secrets.json").read_text())["redis_password"]
    port = next(
        line.split()[1]
        for line in (system.run_dir / "redis" / "redis.conf").read_text().splitlines()
        if line.startswith("port ")
    )
    environment = clean_environment(
        RUN_DIR=run_dir,
        MODELS_DIR=run_dir / "models",
        REDIS_URL=f"redis://:{redis}@127.0.0.1:{port}/1",
        LABEL_STUDIO_URL=system.url,
        LABEL_STUDIO_API_KEY=system.api_key,
        INFERENCE_THREADS=1,
    )
    with (run_dir.parent / "worker.log").open("a") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "ml_backend.cli.worker"),
            cwd=run_dir.parent,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
