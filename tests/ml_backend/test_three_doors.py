"""Each action of the learning loop gives the same result through the API, the panel and the command line."""

import shutil
from contextlib import closing

import pytest

from ml_backend.cli.main import main
from ml_backend.container import build_panel
from ml_backend.errors import BackendError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.options import ProjectOptions
from ml_backend.store.runs import RunStore
from model.errors import ModelError
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry
from tests.ml_backend.api_backend import TOKEN, ApiClient, build_api
from tests.ml_backend.cli.test_samples import label_studio  # noqa: F401

PROJECT = 1


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory):
    """A run folder whose registry has versions 1 and 2 of the project; making it takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    tracking = Tracking(f"sqlite:///{folder / 'run' / 'mlflow.sqlite3'}", folder / "models")
    registry = Registry(tracking)
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    for number in (1, 2):
        (checkpoint / "config.json").write_text(str(number))
        registry.register(checkpoint, PROJECT, tracking.begin(PROJECT, number, "made"), {RUN_TAG: str(number)})
    return folder


@pytest.fixture
def settings(label_studio, two_versions, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("API_TOKEN", TOKEN)
    monkeypatch.setenv("MODELS_DIR", str(two_versions / "models"))
    shutil.copytree(two_versions / "run", tmp_path / "run")
    return Settings(_env_file=None)


def through_api(settings, action, form):
    key = settings.label_studio_api_key.get_secret_value()
    with closing(LabelStudio(settings.label_studio_url, key)) as client:
        app, _ = build_api(settings, config=None, label_studio=client)
        path, body = {
            "collect": ("/collect-training-data", {"write": True}),
            "train": ("/trigger-training", {"force": True}),
            "promote": (f"/versions/{form.get('version')}/promote", {}),
            "rollback": ("/rollback", {}),
            "share": ("/ab", {"share": int(form.get("percent", 0)) / 100}),
        }[action]
        answer = ApiClient(app.test_client()).post(f"{path}?project_id={PROJECT}", json=body)
        return answer.status_code < 400


def through_panel(settings, action, form):
    with closing(Store(settings.store_url)) as store:
        panel = build_panel(settings, store)
        champion = panel.actions.registry.champion(PROJECT)
        seen = str(champion.number) if champion else "0"
        try:
            panel.actions.by_name[action](PROJECT, {"seen": seen} | form)
        except (BackendError, ModelError):
            return False
        return True


def through_cli(settings, action, form):
    return main([action, str(PROJECT), *([form["version"]] if "version" in form else [])]) == 0


DOORS = {"api": through_api, "panel": through_panel, "cli": through_cli}


def came_of_it(settings):
    """Return what an action can change: annotations, samples, runs, versions, shares."""
    champion = Registry(Tracking(settings.tracking_uri, settings.models_dir)).champion(PROJECT)
    samples = sorted(file.read_text() for file in settings.training_data_dir.rglob("*.jsonl"))
    with closing(Store(settings.store_url)) as store:
        runs, learning = RunStore(store.engine), LearningStore(store.engine)
        return {
            "annotations": [(head.id, head.problem) for head in learning.heads(PROJECT)],
            "samples": len(samples),
            "runs": [(run.state, run.documents) for run in runs.runs(PROJECT)],
            "serving": champion and champion.number,
            "promotions": [each.version for each in runs.promotions(PROJECT)],
            "share": ProjectOptions(store.engine).challenger_share(PROJECT),
        }


@pytest.mark.parametrize("door", DOORS)
def test_collecting_syncs_and_writes_the_samples(settings, door):
    assert DOORS[door](settings, "collect", {})
    found = came_of_it(settings)
    assert found["annotations"] == [(10, None)]
    assert found["samples"] == 1


@pytest.mark.parametrize("door", DOORS)
def test_training_learns_from_what_label_studio_has_now(settings, door):
    assert DOORS[door](settings, "train", {})
    assert came_of_it(settings)["runs"] == [("due", 1)]


@pytest.mark.parametrize("door", DOORS)
def test_versions_are_promoted_and_rolled_back(settings, door):
    act = DOORS[door]
    assert act(settings, "promote", {"version": "1"})
    assert act(settings, "promote", {"version": "2"})
    assert act(settings, "rollback", {})
    found = came_of_it(settings)
    assert found["serving"] == 1
    assert found["promotions"] == [1, 2, 1]


@pytest.mark.parametrize("door", DOORS)
def test_a_version_that_does_not_exist_is_refused(settings, door):
    assert not DOORS[door](settings, "promote", {"version": "9"})
    assert came_of_it(settings)["serving"] is None


@pytest.mark.parametrize("door", ["api", "panel"])
@pytest.mark.parametrize(("both", "share"), [(False, 0.25), (True, None)])
def test_tasks_are_shared_unless_both_versions_predict_them_all(settings, monkeypatch, door, both, share):
    monkeypatch.setenv("SERVE_BOTH", str(both))
    settings = Settings(_env_file=None)
    assert DOORS[door](settings, "share", {"percent": "25"}) is not both
    assert came_of_it(settings)["share"] == share
