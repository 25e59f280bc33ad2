"""What Label Studio demands before the two talk to each other."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ml_backend.errors import LabelStudioError, TokenRefusedError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.launch.environment import DEFAULT_FOLDER
from ml_backend.ops.doctor.project_checks import look_at_flags
from ml_backend.ops.doctor.targets import ProjectLink
from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.settings import Settings
from tests.conftest import free_port
from tests.e2e.conftest import PASSWORD, USER, System, clean_environment
from tests.e2e.projects import new_project


def test_personal_access_token_is_accepted(system: System) -> None:
    assert system.client.whoami().email == system.email


def test_legacy_token_is_refused(system: System) -> None:
    legacy = system.client.session.request("GET", "api/current-user/token")["token"]
    answer = requests.get(
        f"{system.url}/api/current-user/whoami", headers={"Authorization": f"Token {legacy}"}, timeout=30
    )
    assert answer.status_code == 401
    with pytest.raises(TokenRefusedError, match="refuses the token"):
        LabelStudio(system.url, legacy).whoami()


def test_a_command_connects_a_project_and_changes_nothing_the_second_time(system: System, tmp_path: Path) -> None:
    redis = (system.run_dir / "redis" / "redis.conf").read_text()
    port = next(line.split()[1] for line in redis.splitlines() if line.startswith("port "))
    title = "Connected by a command"
    environment = clean_environment(
        RUN_DIR=system.run_dir,
        REDIS_PORT=port,
        BASIC_AUTH_USER=USER,
        BASIC_AUTH_PASSWORD=PASSWORD,
        LABEL_STUDIO_PROJECT=title,
    )
    said = []
    for _ in range(2):
        command = (sys.executable, "-m", "ml_backend", "connect")
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    (project,) = system.client.projects(title)
    assert f"created project {project.id}" in said[0]
    assert said[1] == f"Project {project.id} is connected: 0 of 0 documents are pre-labelled.\n"
    (backend,) = system.client.ml_backends(project.id)
    assert (backend.url, backend.state) == (system.backend_url, "CO")
    (webhook,) = system.client.webhooks(project.id)
    assert webhook.headers == {"X-Webhook-Secret": system.webhook_secret}


def test_files_with_secrets_belong_to_their_owner_only(system: System) -> None:
    for name in ("connection.json", "secrets.json", "redis/redis.conf"):
        assert (system.run_dir / name).stat().st_mode & 0o777 == 0o600


def test_connection_file_holds_what_scripts_need(system: System) -> None:
    assert set(json.loads((system.run_dir / "connection.json").read_text())) == {
        "label_studio_url", "email", "password", "api_key", "backend_url", "project_id",
    }  # fmt: skip


def test_connecting_creates_a_webhook_without_secret_and_setup_secures_it(system: System) -> None:
    project_id = new_project(system.client)
    system.client.save_ml_backend(
        project_id, system.backend_url, title="by hand", user=system.auth[0], password=system.auth[1]
    )
    (by_itself,) = system.client.webhooks(project_id)
    assert by_itself.url == f"{system.backend_url}/webhook"
    assert not by_itself.headers

    report = ensure_project(system.client, ProjectPlan("", "", project_id=project_id), system.backend)

    (secured,) = system.client.webhooks(project_id)
    assert secured.id == by_itself.id
    assert secured.headers == {"X-Webhook-Secret": system.webhook_secret}
    assert "secured the webhook" in report.changes
    assert len(system.client.ml_backends(project_id)) == 1


def test_setup_leaves_exactly_one_webhook_with_its_secret(system: System) -> None:
    (webhook,) = system.client.webhooks(system.project_id)
    assert webhook.headers == {"X-Webhook-Secret": system.webhook_secret}


def test_webhook_added_by_hand_is_removed_again(system: System) -> None:
    project_id = new_project(system.client)
    plan = ProjectPlan("", "", project_id=project_id)
    ensure_project(system.client, plan, system.backend)
    system.client.create_webhook(project_id, f"{system.backend_url}/webhook", headers={})
    system.client.create_webhook(project_id, "http://127.0.0.1:9/elsewhere", headers={})

    report = ensure_project(system.client, plan, system.backend)

    urls = sorted(webhook.url for webhook in system.client.webhooks(project_id))
    assert urls == sorted([f"{system.backend_url}/webhook", "http://127.0.0.1:9/elsewhere"])
    assert report.changes == ("removed 1 webhooks that sent every event twice",)


def test_label_studio_sends_basic_auth_and_the_backend_demands_it(system: System) -> None:
    assert requests.get(f"{system.backend_url}/health", timeout=10).status_code == 401
    assert requests.get(f"{system.backend_url}/health", auth=system.auth, timeout=10).status_code == 200
    assert [backend.state for backend in system.client.ml_backends(system.project_id)] == ["CO"]


def test_backend_with_a_wrong_password_is_said_in_one_line(system: System) -> None:
    project_id = new_project(system.client)
    wrong = type(system.backend)(url=system.backend_url, user=system.auth[0], password="wrong")
    with pytest.raises(LabelStudioError):
        ensure_project(system.client, ProjectPlan("", "", project_id=project_id), wrong)


def test_label_studio_lists_the_versions_that_the_backend_announces(system: System) -> None:
    (backend,) = system.client.ml_backends(system.project_id)
    listed = system.client.session.request("GET", f"api/ml/{backend.id}/versions")
    assert listed["versions"] == [system.client.project(system.project_id).model_version]


@pytest.fixture(scope="module")
def label_studio_with_one_flag(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LabelStudio, str]]:
    """A Label Studio over a copy of the system's data, which only lets backends, not webhooks, have local addresses."""
    folder = tmp_path_factory.mktemp("one-flag")
    original = system.run_dir / "label-studio"
    shutil.copy(original / ".env", folder / ".env")
    with (
        sqlite3.connect(original / "label_studio.sqlite3") as source,
        sqlite3.connect(folder / "label_studio.sqlite3") as copy,
    ):
        source.backup(copy)
    port = free_port()
    environment = clean_environment(
        LABEL_STUDIO_BASE_DATA_DIR=folder,
        LABEL_STUDIO_USERNAME=system.email,
        LABEL_STUDIO_PASSWORD=system.password,
        ML_BLOCK_LOCAL_IP="false",
        COLLECT_ANALYTICS="False",
        LATEST_VERSION_CHECK="False",
        SENTRY_DSN="",
    )
    executable = DEFAULT_FOLDER / "bin" / "label-studio"
    command = [executable, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=os.fspath(folder)
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/health", process, folder / "log.txt")
        yield LabelStudio(url, system.api_key, timeout=60), url
    finally:
        process.terminate()
        process.wait(30)


def test_without_the_second_flag_a_private_address_is_refused_and_the_remedy_said(
    system: System, label_studio_with_one_flag: tuple[LabelStudio, str]
) -> None:
    client, _ = label_studio_with_one_flag
    plan = ProjectPlan("Refused", business_cards_config())
    with pytest.raises(LabelStudioError, match="SSRF_PROTECTION_ENABLED=false"):
        ensure_project(client, plan, system.backend)


def test_without_the_second_flag_connecting_leaves_a_backend_without_webhook(
    system: System, label_studio_with_one_flag: tuple[LabelStudio, str]
) -> None:
    client, _ = label_studio_with_one_flag
    project_id = new_project(client)
    with pytest.raises(LabelStudioError, match="private networks"):
        client.save_ml_backend(project_id, system.backend_url, title="x", user=system.auth[0], password=system.auth[1])
    assert len(client.ml_backends(project_id)) == 1
    assert client.webhooks(project_id) == []


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.5)


def test_without_the_second_flag_the_doctor_names_it(
    system: System, label_studio_with_one_flag: tuple[LabelStudio, str]
) -> None:
    client, _ = label_studio_with_one_flag
    settings = Settings(_env_file=None, backend_url=system.backend_url)  # type: ignore[call-arg]
    (seen,) = look_at_flags(ProjectLink(settings, client, new_project(client), lambda *_: 0))
    assert seen.state == "error"
    assert "with SSRF_PROTECTION_ENABLED=false in its environment" in str(seen.remedy)
