"""A store of the release before is migrated with what is in it, and read by what reads it now."""

import json
from contextlib import closing

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from ml_backend.store.annotations import LearningStore
from ml_backend.store.contacts import ContactStore
from ml_backend.store.coverage import Coverages
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_scores import TaskScores

SPREAD = {"mean": 0.1, "largest": 0.5, "total": 0.7}
#: As the release before wrote them, with the previous champion under its old name.
SIGNALS = {
    "words": 3,
    "line_scores": [0.9],
    "entities": [["NAME", 0.8]],
    "expected_corrections": 0.4,
    "rivals": [],
    "pages": 1,
    "line_margins": [0.3],
    "former": SPREAD,
    "votes": {"agreed": 2, "before": {"NAME": 3}, "after": {"NAME": 3}},
    **dict.fromkeys(("least_confidence", "margin", "entropy", "disagreement", "patterns"), SPREAD),
}
ROWS = {
    "projects": {"id": 3, "rescored_version": "p3-v1", "pinned_version": 1, "sync_asked": False},
    "contacts": {"project_id": 3, "contact_id": "7", "task_id": 5, "claimed_at": "2026-01-01 00:00:00"},
    "rescorings": {"project_id": 3, "version": "p3-v1", "started_at": "2026-01-01 00:00:00", "pushed": 4},
    "task_scores": {
        "project_id": 3,
        "task_id": 5,
        "version": "p3-v1",
        "confidence": 0.8,
        "signals": json.dumps(SIGNALS),
        "scored_at": "2026-01-01 00:00:00",
        "control": False,
    },
}


def before(url: str) -> None:
    """Make a store at the schema of the release before, with a row of each kind that has changed since."""
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        for table, row in ROWS.items():
            names = ", ".join(row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(row)})"), row)
    engine.dispose()


def test_a_store_of_the_release_before_keeps_all_that_is_in_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    before(url)
    with closing(Store(url)) as store:
        project = LearningStore(store.engine).project(3)
        assert (project.pinned_version, project.rescored_version, project.predict_at) == (1, "p3-v1", None)
        assert ContactStore(store.engine).contacts_of(3, [5]) == {5: 7}
        assert RescoringStore(store.engine).rescoring(3).pushed == 4
        assert Coverages(store.engine).of(3) is None, "nobody has looked yet"
        signals = TaskScores(store.engine).scores(3)[5].signals
        assert (signals.previous.total, signals.votes.agreed) == (0.7, 2)
