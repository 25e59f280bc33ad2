"""Versions on the command line."""

import pytest

from ml_backend.cli.main import main
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry


@pytest.fixture
def registry(make_settings, monkeypatch, tmp_path):
    """A registry with two versions of project 3, where the commands look for it."""
    settings = make_settings()
    monkeypatch.setenv("RUN_DIR", str(settings.run_dir))
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    tracking = Tracking(settings.tracking_uri, tmp_path / "models")
    registry = Registry(tracking)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for number in (1, 2):
        (folder / "config.json").write_text(str(number))
        tags = {RUN_TAG: str(number), "f1": f"0.{number}000", "decision": "kept"}
        registry.register(folder, 3, tracking.begin(3, number, "made"), tags)
    return registry


def test_versions_are_promoted_listed_and_rolled_back_by_hand(registry, capfd):
    assert main(["promote", "3", "1"]) == 0
    assert main(["promote", "3", "2"]) == 0
    assert main(["versions", "3"]) == 0
    listed = capfd.readouterr().out
    assert [line.split()[-1] for line in listed.splitlines() if line.startswith("p3-v2")] == ["champion"]
    assert "0.1000" in listed
    assert main(["rollback", "3"]) == 0
    assert "version 1 again" in capfd.readouterr().out
    champion = registry.champion(3)
    assert champion is not None
    assert champion.number == 1
    assert main(["promote", "3", "shipped"]) == 0
    assert registry.champion(3) is None


def test_a_version_that_does_not_exist_is_refused_in_one_sentence(registry, capfd):
    assert main(["promote", "3", "9"]) == 1
    assert "no version 9" in capfd.readouterr().err


def test_nothing_is_before_the_weights_that_ship(registry, capfd):
    assert main(["rollback", "3"]) == 1
    assert "weights that ship" in capfd.readouterr().err


def test_a_project_stays_with_a_pinned_version_until_it_is_unpinned(registry, make_settings, capfd):
    learning = LearningStore(Store(make_settings().store_url).engine)
    assert main(["pin", "3", "1"]) == 0
    assert learning.pinned(3) == 1
    assert main(["pin", "3", "9"]) == 1
    assert learning.pinned(3) == 1
    assert main(["unpin", "3"]) == 0
    assert learning.pinned(3) is None
    out, err = capfd.readouterr()
    assert "stays with version 1" in out
    assert "no version 9" in err
