"""Versions that one machine registers and others load, with nothing in common but an MLflow server."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from model.errors import TrackingError, VersionError
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.conftest import free_port
from tests.mlflow_server import mlflow_server

_projects = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow"), free_port()) as address:
        yield address


@pytest.fixture
def machine(server, tmp_path):
    """A machine of its own each time: it shares the server only."""
    return lambda name: Registry(Tracking(server, tmp_path / name / "models"))


@pytest.fixture
def project():
    return next(_projects)


@pytest.fixture
def version(server, machine, project, tmp_path):
    """A version that the machine "one" has trained; its weights are as large as real ones."""
    folder = tmp_path / "draft"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights " * 1_000_000)
    run = Tracking(server, tmp_path / "one" / "models").begin(project, 5, "run 5")
    made = machine("one").register(folder, project, run, {RUN_TAG: "5"})
    run.end("FINISHED")
    shutil.rmtree(folder)
    return made


def test_a_version_that_one_machine_trained_is_promoted_and_loaded_by_others(machine, project, version, tmp_path):
    machine("two").promote(project, version.number)
    found = machine("three").champion(project)
    assert found is not None
    assert found.digest == version.digest
    folder = machine("three").folder_of(found)
    assert folder.is_relative_to(tmp_path / "three")
    assert (folder / "model.safetensors").stat().st_size == 8_000_000
    assert not (tmp_path / "one" / "models" / f"project-{project}").exists(), "the server keeps the files"


def test_what_was_fetched_is_not_fetched_again_unless_it_is_damaged(machine, project, version):
    registry = machine("two")
    file = registry.folder_of(version) / "model.safetensors"
    first = file.stat()
    assert registry.folder_of(version) == file.parent
    assert file.stat().st_mtime_ns == first.st_mtime_ns
    file.write_bytes(b"other")
    assert registry.folder_of(version) == file.parent
    assert file.stat().st_size == 8_000_000


def test_processes_of_one_machine_that_want_the_same_version_all_get_it_whole(machine, version):
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: machine("two").folder_of(version), range(4)))
    assert len({*folders}) == 1
    assert sorted(path.name for path in folders[0].iterdir()) == ["config.json", "model.safetensors"]


def test_what_a_run_left_that_was_given_up_is_removed_from_the_server(machine, project, version, server, tmp_path):
    tracking = Tracking(server, tmp_path / "two" / "models")
    assert tracking.client().list_artifacts(version.mlflow_run_id)
    machine("two").discard(project, 5)
    assert machine("three").versions(project) == []
    assert tracking.client().list_artifacts(version.mlflow_run_id) == []
    with pytest.raises((TrackingError, VersionError)):
        machine("three").folder_of(version)


def test_a_server_that_is_down_is_told_within_seconds(tmp_path):
    registry = Registry(Tracking(f"http://127.0.0.1:{free_port()}", tmp_path))
    start = time.monotonic()
    with pytest.raises(TrackingError, match="MLflow"):
        registry.champion(1)
    assert time.monotonic() - start < 25


def test_once_opened_the_first_question_about_a_project_is_answered_at_once(machine, project):
    registry = machine("two")
    registry.open()
    start = time.monotonic()
    assert registry.champion(project) is None
    assert time.monotonic() - start < 2, "Label Studio waits three seconds for who serves a project"
