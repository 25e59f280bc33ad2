"""What is no longer kept goes, and nothing that serves, may serve again, or is needed for the next run."""

import os
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select, update

from ml_backend.label_studio.label_config import PageId
from ml_backend.learn.promotion import Versions
from ml_backend.ops.locks import housekeeping
from ml_backend.ops.retention import GRACE, Policy, Tidied, Tidier
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore, TaskImage
from ml_backend.store.runs import RunStore
from ml_backend.store.tables import EventRow, PageRow
from model.registry.tracking import RUN_TAG, Tracking
from model.registry.versions import Registry

DAYS = timedelta(days=30)


class World:
    """A store, a registry, and a clock that is ahead of the machine's."""

    def __init__(self, folder, tracking, project):
        self.folder, self.tracking, self.project = folder, tracking, project
        self.ahead = timedelta(0)
        self.store = Store(f"sqlite:///{folder / 'store.sqlite3'}")
        self.runs, self.learning = RunStore(self.store.engine), LearningStore(self.store.engine)
        self.registry = Registry(self.tracking)
        self.versions = Versions(self.registry, self.runs)
        self.learning.ask_sync(self.project)

    def tidier(self, versions=2, events=DAYS, pages=DAYS):
        policy = Policy(versions, events, pages)
        return Tidier(
            self.store.engine,
            # As another process sees it.
            Registry(self.tracking),
            policy,
            self.folder,
            self.tracking.artifacts,
            clock=lambda: datetime.now(timezone.utc) + self.ahead,
        )

    def register(self, *run_ids):
        for run_id in run_ids:
            checkpoint = self.folder / f"checkpoint{run_id}"
            checkpoint.mkdir()
            (checkpoint / "model.safetensors").write_text(str(run_id))
            run = self.tracking.begin(self.project, run_id, "run")
            self.registry.register(checkpoint, self.project, run, {RUN_TAG: str(run_id)})
            run.end("FINISHED")

    def numbers(self):
        return [version.number for version in reversed(self.registry.versions(self.project))]

    def tidy_twice(self, **policy):
        first = self.tidier(**policy).tidy()
        self.ahead += GRACE
        return first, self.tidier(**policy).tidy()


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    """One database for all tests, each of which has a project of its own in it."""
    folder = tmp_path_factory.mktemp("mlflow")
    return Tracking(f"sqlite:///{folder / 'mlflow.sqlite3'}", folder / "models")


@pytest.fixture(scope="module")
def numbers():
    return iter(range(1, 100))


@pytest.fixture
def world(tmp_path, tracking, numbers):
    world = World(tmp_path, tracking, next(numbers))
    yield world
    world.store.close()


def test_old_versions_go_but_for_those_that_serve_or_may_serve_again(world):
    world.register(*range(1, 9))
    for number in (2, 4):
        world.versions.promote(world.project, number, by="cli", reason="by hand")
    world.learning.pin(world.project, 1)
    first, second = world.tidy_twice()
    # Pinned, the predecessor, the champion, the latest two of which one is the challenger.
    assert world.numbers() == [1, 2, 4, 7, 8]
    assert (first.retired, first.versions) == (3, 0)
    assert (second.retired, second.versions) == (0, 3)
    for number in world.numbers():
        assert world.registry.folder_of(world.registry.version(world.project, number)).is_dir()
    kept = {
        path.read_text() for path in (world.tracking.artifacts / f"project-{world.project}").rglob("model.safetensors")
    }
    assert kept == {"1", "2", "4", "7", "8"}
    assert world.versions.rollback(world.project, by="cli", reason="by hand") == 2
    assert world.tidier().tidy() == Tidied()


def test_a_version_that_is_promoted_or_pinned_after_it_was_retired_stays(world):
    world.register(1, 2, 3, 4)
    assert world.tidier().tidy().retired == 2
    world.versions.promote(world.project, 1, by="cli", reason="by hand")
    world.learning.pin(world.project, 2)
    world.ahead += 2 * GRACE
    assert world.tidier().tidy().versions == 0
    assert world.numbers() == [1, 2, 3, 4]
    # And counts as kept again: what is no longer wanted waits again.
    world.learning.pin(world.project, None)
    assert world.tidier().tidy() == Tidied(retired=1)


def test_while_a_run_is_in_progress_its_project_is_let_be(world):
    world.register(1, 2, 3, 4)
    run = world.runs.add_run(world.project, "asked for", True, "f", 1)
    world.runs.claim_run(run.id)
    assert world.tidy_twice() == (Tidied(), Tidied())
    assert world.numbers() == [1, 2, 3, 4]


def event(world, *, age, processed, duplicate_of=None):
    moment = datetime.now(timezone.utc) - age
    number = world.store.add_event(
        {"age": str(age), "of": duplicate_of}, action="A", project_id=world.project, received_at=moment
    ).id
    values = {"processed_at": moment if processed else None, "duplicate_of": duplicate_of}
    with world.store.engine.begin() as connection:
        connection.execute(update(EventRow).where(EventRow.id == number).values(values))
    return number


def test_answered_events_go_when_they_are_old_and_open_ones_never(world):
    old, new = DAYS * 2, timedelta(days=1)
    answered = event(world, age=old, processed=True)
    event(world, age=old, processed=False, duplicate_of=answered)
    repeated_lately = event(world, age=old + new, processed=True)
    kept = [
        event(world, age=old, processed=False),
        repeated_lately,
        event(world, age=new, processed=False, duplicate_of=repeated_lately),
        event(world, age=new, processed=True),
    ]
    assert world.tidier(events=None).tidy().events == 0
    assert world.tidier().tidy().events == 2
    with world.store.engine.connect() as connection:
        assert sorted(connection.scalars(select(EventRow.id))) == sorted(kept)


def test_readings_go_that_no_task_shows_or_that_a_newer_one_replaced(world):
    now = datetime.now(timezone.utc)
    ages = {
        ("shown", "engine.1"): DAYS * 3,
        ("shown", "engine.2"): DAYS * 2,
        ("gone", "engine.1"): DAYS * 2,
        ("gone lately", "engine.1"): DAYS / 2,
    }
    with world.store.engine.begin() as connection:
        for (key, engine), age in ages.items():
            row = {"image_key": key, "engine_version": engine, "page": "{}", "created_at": now - age}
            connection.execute(insert(PageRow).values(row))
    RescoringStore(world.store.engine).remember_images(
        world.project, 7, {PageId("image"): TaskImage("/a.png", "shown")}
    )
    assert world.tidier(pages=None).tidy().pages == 0
    assert world.tidier().tidy().pages == 2
    with world.store.engine.connect() as connection:
        left = {tuple(row) for row in connection.execute(select(PageRow.image_key, PageRow.engine_version))}
    assert left == {("shown", "engine.2"), ("gone lately", "engine.1")}


def test_more_rows_than_fit_into_one_transaction_go_too(world):
    old = datetime.now(timezone.utc) - DAYS * 2
    rows = [
        {"image_key": f"{number}", "engine_version": "e", "page": "{}", "created_at": old} for number in range(1200)
    ]
    with world.store.engine.begin() as connection:
        connection.execute(insert(PageRow), rows)
    assert world.tidier().tidy().pages == 1200


def test_what_killed_runs_and_downloads_have_left_goes_after_a_day(world):
    world.register(1)
    serving = world.registry.version(world.project, 1).name
    run = world.runs.add_run(world.project, "asked for", True, "f", 1)
    artifacts = world.tracking.artifacts / "fetched"
    due, gone, begun = (world.folder / "runs" / name for name in (str(run.id), "99", "98"))
    folders = [due, gone, artifacts / "p1-v9-00000000", artifacts / serving, begun]
    yesterday = (datetime.now(timezone.utc) - timedelta(days=2)).timestamp()
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        if folder != begun:
            os.utime(folder, (yesterday, yesterday))
    assert world.tidier().tidy().folders == 2
    assert [folder for folder in folders if folder.exists()] == [due, artifacts / serving, begun]


def test_during_a_backup_nothing_is_tidied(world):
    world.register(1, 2, 3)
    with housekeeping(world.folder):
        assert world.tidier().tidy() is None
    assert world.tidier().tidy().retired == 1
