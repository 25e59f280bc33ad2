import threading

import pytest

from model.errors import TrackingError, VersionError
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry, digest_of


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return Tracking(f"sqlite:///{folder / 'mlflow.sqlite3'}", folder / "models")


@pytest.fixture(scope="module")
def registry(tracking):
    return Registry(tracking)


@pytest.fixture(scope="module")
def numbers():
    """Project numbers that no other test uses."""
    return iter(range(1, 1000))


@pytest.fixture
def project(numbers):
    return next(numbers)


@pytest.fixture
def checkpoint(tmp_path):
    def write(content):
        folder = tmp_path / content
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_text(content)
        return folder

    return write


@pytest.fixture
def register(registry, tracking, project, checkpoint):
    def make(content, run_id=1, end="FINISHED"):
        run = tracking.begin(project, run_id, content)
        version = registry.register(checkpoint(content), project, run, {RUN_TAG: str(run_id)})
        if end:
            run.end(end)
        return version

    return make


def test_where_nothing_was_written_nothing_is_read_or_made(tmp_path):
    registry = Registry(Tracking(f"sqlite:///{tmp_path / 'none.sqlite3'}", tmp_path / "models"))
    assert registry.champion(1) is None
    assert registry.challenger(1) is None
    assert registry.versions(1) == []
    registry.discard(1, 1)
    with pytest.raises(VersionError, match="no version 3"):
        registry.version(1, 3)
    assert list(tmp_path.iterdir()) == []


def test_a_registered_version_is_the_challenger_and_has_its_files(registry, project, register):
    version = register("first")
    assert registry.challenger(project) == version
    assert registry.champion(project) is None
    assert version.number == 1
    assert version.name == f"p{project}-v1-{version.digest[:8]}"
    folder = registry.folder_of(version)
    assert (folder / "model.safetensors").read_text() == "first"
    assert digest_of(folder) == version.digest


def test_a_promoted_version_is_the_champion_and_no_longer_the_challenger(registry, project, register):
    first, second = register("first"), register("second")
    assert registry.promote(project, first.number) is None
    assert (registry.champion(project), registry.challenger(project)) == (first, second)
    assert registry.promote(project, second.number) == first.number
    assert (registry.champion(project), registry.challenger(project)) == (second, None)
    assert registry.versions(project) == [second, first]


def test_the_weights_that_ship_can_serve_again(registry, project, register):
    version = register("first")
    registry.promote(project, version.number)
    assert registry.promote(project, None) == version.number
    assert registry.champion(project) is None
    assert registry.promote(project, None) is None


def test_projects_know_nothing_of_each_other(registry, project, register, numbers):
    registry.promote(project, register("first").number)
    assert registry.champion(next(numbers)) is None


def test_another_process_sees_the_same(registry, project, register, tracking):
    registry.promote(project, register("first").number)
    other = Registry(Tracking(tracking.uri, tracking.artifacts))
    assert other.champion(project) == registry.champion(project)


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_a_damaged_version_is_neither_given_nor_promoted(registry, project, register, damage):
    good, bad = register("good"), register("bad")
    registry.promote(project, good.number)
    file = registry.folder_of(bad) / "model.safetensors"
    if damage == "changed":
        file.write_text("other")
    elif damage == "missing":
        file.unlink()
    else:
        (file.parent / "more.json").write_text("{}")
    with pytest.raises(VersionError, match="damaged"):
        registry.folder_of(bad)
    with pytest.raises(VersionError, match="damaged"):
        registry.promote(project, bad.number)
    assert registry.champion(project) == good


def test_a_version_that_does_not_exist_is_not_promoted(registry, project, register):
    register("first")
    with pytest.raises(VersionError, match="no version 9"):
        registry.promote(project, 9)


def test_what_a_run_left_that_was_given_up_is_removed(registry, tracking, project, register):
    kept = register("kept", run_id=4)
    registry.promote(project, kept.number)
    left = register("left", run_id=5, end=None)
    half_done = tracking.begin(project, 5, "half done")
    folder = registry.folder_of(left)
    registry.discard(project, 5)
    assert registry.versions(project) == [kept]
    assert registry.challenger(project) is None
    assert not folder.exists()
    assert tracking.client().get_run(half_done.id).info.lifecycle_stage == "deleted"
    assert register("next", run_id=6).number == 3


def test_a_version_that_serves_is_not_discarded_with_its_run(registry, project, register):
    version = register("first", run_id=7, end=None)
    registry.promote(project, version.number)
    registry.discard(project, 7)
    assert registry.champion(project) == version
    assert registry.folder_of(version).is_dir()


def test_a_version_that_may_be_gone_back_to_is_kept_when_its_run_is_discarded(registry, project, register):
    version, other = register("first", run_id=8), register("second", run_id=8)
    registry.discard(project, 8, keep={version.number})
    assert registry.versions(project) == [version]
    assert registry.folder_of(version).is_dir()
    with pytest.raises(VersionError, match="damaged"):
        registry.folder_of(other)


def test_a_run_keeps_parameters_curves_and_files(tracking, project, tmp_path):
    run = tracking.begin(project, 1, "numbers")
    run.parameters({"documents": 60, "seed": 3})
    run.metrics({"loss": 0.5}, 1)
    run.metrics({"loss": 0.25}, 2)
    run.text("reason", "decision.txt")
    run.end("FINISHED")
    client = tracking.client()
    assert client.get_run(run.id).data.params == {"documents": "60", "seed": "3"}
    assert [each.value for each in client.get_metric_history(run.id, "loss")] == [0.5, 0.25]
    assert [each.path for each in client.list_artifacts(run.id)] == ["decision.txt"]


@pytest.mark.usefixtures("databases_are_made")
def test_processes_that_open_the_database_at_once_make_it_once(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.sqlite3'}"
    problems = []

    def begin():
        try:
            Tracking(uri, tmp_path).client()
        except TrackingError as error:
            problems.append(error)

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert problems == []


@pytest.mark.usefixtures("databases_are_made")
def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match="MLflow cannot be opened"):
        Tracking(f"sqlite:///{tmp_path / 'file' / 'mlflow.sqlite3'}", tmp_path).client()


def test_the_digest_holds_what_lies_in_folders_below(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "config.json").write_bytes(b"{}")
    flat = digest_of(tmp_path)
    (tmp_path / "weights" / "more.onnx").write_bytes(b"a")
    deep = digest_of(tmp_path)
    (tmp_path / "weights" / "more.onnx").write_bytes(b"b")
    assert len({flat, deep, digest_of(tmp_path)}) == 3
