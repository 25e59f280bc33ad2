"""Asking for the open tasks to be scored again."""

from ml_backend.cli.main import main
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store


def test_rescore_leaves_word_for_the_worker_in_the_store(make_settings, monkeypatch, capfd):
    settings = make_settings()
    monkeypatch.setenv("RUN_DIR", str(settings.run_dir))
    assert main(["rescore", "3"]) == 0
    assert "project 3" in capfd.readouterr().out
    store = Store(settings.store_url)
    state = LearningStore(store.engine).project(3)
    store.close()
    assert state.rescored_version not in (None, "")
