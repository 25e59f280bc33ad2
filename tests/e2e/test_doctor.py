"""The doctor, with each fault made for real: it is named, and what it says to do fixes it."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.cli.connection import launched
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.records import Prediction
from ml_backend.ops.doctor.connection_checks import CONNECTION_CHECKS
from ml_backend.ops.doctor.examination import count_events
from ml_backend.ops.doctor.machine_checks import MACHINE_CHECKS
from ml_backend.ops.doctor.project_checks import PROJECT_CHECKS
from ml_backend.ops.doctor.results import Check, CheckResult, examine
from ml_backend.ops.doctor.targets import Connection, ProjectLink
from ml_backend.ops.doctor.targets import System as Machine
from ml_backend.projects.setup import ProjectPlan, ensure_project
from ml_backend.settings import Settings
from ml_backend.store.engine import open_engine
from model.pipeline import SHIPPED_WEIGHTS
from tests.e2e.conftest import PASSWORD, USER, System
from tests.e2e.projects import new_project, printed_cards
from tests.e2e.test_faults import stopped


@pytest.fixture
def settings(system: System, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The running system's settings, as a command beside it finds them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    redis = (system.run_dir / "redis" / "redis.conf").read_text()
    port = next(line.split()[1] for line in redis.splitlines() if line.startswith("port "))
    own = Settings(
        _env_file=None,  # type: ignore[call-arg]
        run_dir=system.run_dir,
        redis_port=int(port),
        basic_auth_user=USER,
        basic_auth_password=SecretStr(PASSWORD),
    )
    return launched(own)


@pytest.fixture
def link(system: System, settings: Settings) -> ProjectLink:
    """A project of Label Studio's that nobody has connected, with one task whose image is missing."""
    engine = open_engine(settings.store_url)
    project_id = new_project(system.client)
    return ProjectLink(
        settings, system.client, project_id, lambda project, what: count_events(engine, project, what), wait_seconds=3
    )


def found(checks: Iterable[Check[object]], target: object, *names: str) -> dict[str, CheckResult]:
    """The first result of each check that is asked for."""
    kept = [replace(check, needs=()) if names else check for check in checks if not names or check.name in names]
    results: dict[str, CheckResult] = {}
    for result in examine(kept, target):
        results.setdefault(result.check, result)
    return results


def of_project(link: ProjectLink, *names: str) -> dict[str, CheckResult]:
    return found(PROJECT_CHECKS, link, *names)  # type: ignore[arg-type]


def test_what_an_unconnected_project_lacks_is_named_and_initialising_mends_it(
    system: System, link: ProjectLink, tmp_path: Path
) -> None:
    client = system.client
    tasks = client.upload_files(link.project_id, printed_cards(tmp_path, 1))
    client.create_predictions([Prediction(tasks[0], "somebody-elses-version", [], score=0.5)])

    before = of_project(link)

    for name in ("registration", "webhook", "model-version", "sampling"):
        assert before[name].state == "error", name
        assert "Initialise" in str(before[name].remedy)
    assert before["round-trip"].state == "skipped"
    ensure_project(client, ProjectPlan("", "", project_id=link.project_id), system.backend)
    after = of_project(link)
    assert [name for name, item in after.items() if item.state in ("error", "skipped")] == []


def test_each_fault_of_the_webhook_is_told_from_the_others(system: System, link: ProjectLink) -> None:
    client, url = system.client, system.backend.webhook_url
    ensure_project(client, ProjectPlan("", "", project_id=link.project_id), system.backend)
    (hook,) = client.webhooks(link.project_id)

    def seen(*names: str) -> str:
        return " ".join(str(item.found) for item in of_project(link, *names).values() if item.state != "ok")

    def change(**values: object) -> None:
        client.session.request("PATCH", f"api/webhooks/{hook.id}/", json=values)

    change(headers={})
    assert "carries no X-Webhook-Secret" in seen("webhook")
    change(headers={"X-Webhook-Secret": "wrong"})
    assert "carries a wrong X-Webhook-Secret" in seen("webhook")
    change(headers=hook.headers, is_active=False)
    assert "is switched off" in seen("webhook")
    change(is_active=True, send_for_all_actions=False, actions=["TASKS_CREATED"])
    assert "did not arrive within 3 s" in seen("round-trip")
    change(send_for_all_actions=True)
    assert not seen("webhook", "round-trip")
    client.create_webhook(link.project_id, url, headers=hook.headers)
    assert "2 webhooks send every event here" in seen("webhook")


def test_an_image_that_is_gone_and_labels_that_nobody_knows_are_named(system: System, link: ProjectLink) -> None:
    system.client.import_tasks(link.project_id, [{"data": {"image": "/data/upload/1/gone.png"}}])
    config = system.client.project(link.project_id).label_config.replace('value="EMAIL"', 'value="SHOE SIZE"')
    system.client.update_project(link.project_id, label_config=config)

    seen = of_project(link, "images", "label-config")

    assert seen["images"].state == "error"
    assert "Could not fetch the image" in str(seen["images"].found)
    assert "No label for: EMAIL" in str(seen["label-config"].found)


def test_a_backend_that_is_registered_under_a_dead_address_is_named(system: System, link: ProjectLink) -> None:
    elsewhere = link.settings.model_copy(update={"backend_url": "http://127.0.0.1:9"})
    seen = of_project(replace(link, settings=elsewhere), "backend", "registration")
    assert "No backend answers at http://127.0.0.1:9." in str(seen["backend"].found)
    assert seen["registration"].state == "error"


def test_a_legacy_token_that_label_studio_refuses_is_named(system: System, settings: Settings) -> None:
    legacy = system.client.session.request("GET", "api/current-user/token")["token"]
    own = settings.model_copy(update={"label_studio_api_key": SecretStr(legacy)})
    seen = found(CONNECTION_CHECKS, Connection(own, lambda: LabelStudio(system.url, legacy)))  # type: ignore[arg-type]
    assert "legacy tokens are off by default" in str(seen["token"].found)
    assert "Personal Access Token" in str(seen["token"].remedy)


def test_a_personal_token_that_label_studio_did_not_make_is_named(system: System, settings: Settings) -> None:
    head, _, signature = system.api_key.rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    own = settings.model_copy(update={"label_studio_api_key": SecretStr(forged)})
    seen = found(CONNECTION_CHECKS, Connection(own, lambda: LabelStudio(system.url, forged)))  # type: ignore[arg-type]
    assert seen["token"].state == "error"
    assert "Personal Access Token" in str(seen["token"].remedy)


def test_a_label_studio_that_hangs_is_named(system: System, settings: Settings) -> None:
    with stopped(system, "label-studio"):
        seen = found(CONNECTION_CHECKS, Connection(settings, lambda: LabelStudio(system.url, system.api_key)))  # type: ignore[arg-type]
    assert "takes longer than" in str(seen["label-studio"].found)
    assert seen["token"].state == "skipped"


@pytest.mark.parametrize(("service", "check"), [("redis", "redis"), ("worker", "workers"), ("trainer", "workers")])
def test_a_part_that_hangs_is_named(system: System, settings: Settings, service: str, check: str) -> None:
    with stopped(system, service):
        seen = [
            item
            for item in examine([each for each in MACHINE_CHECKS if each.name == check], Machine(settings))
            if item.state == "error"
        ]
    assert len(seen) == 1
    assert service in f"{seen[0].found} {seen[0].remedy}".lower()


def test_weights_that_are_damaged_are_named(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED_WEIGHTS, tmp_path / "weights")
    weights = tmp_path / "weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    seen = found(MACHINE_CHECKS, Machine(settings.model_copy(update={"extractor_dir": tmp_path / "weights"})), "models")  # type: ignore[arg-type]
    assert seen["models"].state == "error"


def test_the_command_finds_a_running_system_well_and_says_so_to_programs(
    system: System, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ml_backend.cli.main import main

    for name in ("run_dir", "redis_port", "basic_auth_user"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    monkeypatch.setenv("BASIC_AUTH_PASSWORD", PASSWORD)
    assert main(["doctor", "--json", "--project", str(system.project_id)]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {item["check"] for item in said} == {
        check.name for checks in (CONNECTION_CHECKS, PROJECT_CHECKS, MACHINE_CHECKS) for check in checks  # type: ignore[attr-defined]
    }  # fmt: skip
