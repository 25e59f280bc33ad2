"""What the store says is due goes into the queue, once, whatever else fails."""

from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.errors import BackendError
from ml_backend.jobs.queue import QueueError
from ml_backend.jobs.ticker import Ticker
from ml_backend.store.annotations import ProjectState
from ml_backend.store.event_times import Waiting
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore

START = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
SHIPPED = "cards-12345678.aaaaaa"


class Asked:
    """Remembers what was put into the queue; can be down."""

    def __init__(self):
        self.syncs, self.trainings, self.rescorings, self.tidyings = [], [], [], []
        self.down = False

    def _add(self, jobs, number):
        if self.down:
            raise QueueError("The job queue cannot be reached.")
        jobs.append(number)
        return True

    def recover(self):
        pass

    def enqueue_sync(self, project_id):
        return self._add(self.syncs, project_id)

    def enqueue_training(self, run_id):
        return self._add(self.trainings, run_id)

    def enqueue_rescoring(self, project_id):
        return self._add(self.rescorings, project_id)

    def enqueue_tidying(self):
        return self._add(self.tidyings, None)


class World:
    """What the ticker looks at, and the clock."""

    def __init__(self, runs):
        self.now = START
        self.events, self.projects, self.serving = {}, [], {}
        self.queue, self.runs = Asked(), runs
        self.ticker = Ticker(
            lambda: self.events,
            lambda: self.projects,
            runs,
            lambda project: self.serving.get(project, SHIPPED),
            SHIPPED,
            self.queue,
            sync_seconds=300,
            clock=lambda: self.now,
        )

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    def know(self, project_id=3, synced=0, **more):
        self.projects = [ProjectState(project_id, synced_at=START + timedelta(seconds=synced), **more)]


@pytest.fixture
def world(store_url):
    store = Store(store_url)
    yield World(RunStore(store.engine))
    store.close()


def test_a_sync_waits_until_a_burst_is_over(world):
    world.events[3] = Waiting(START, START)
    world.ticker.tick()
    assert world.queue.syncs == []
    world.wait(2)
    world.ticker.tick()
    assert world.queue.syncs == [3]


def test_a_burst_without_an_end_does_not_put_it_off_for_ever(world):
    world.wait(19)
    world.events[3] = Waiting(START, world.now)
    world.ticker.tick()
    assert world.queue.syncs == []
    world.wait(1)
    world.events[3] = Waiting(START, world.now)
    world.ticker.tick()
    assert world.queue.syncs == [3]


def test_what_was_missed_is_asked_for_on_start_and_now_and_then(world):
    world.know(synced=-10)
    world.ticker.tick()
    assert world.queue.syncs == [3]
    world.know(synced=1)
    world.wait(299)
    world.ticker.tick()
    assert world.queue.syncs == [3]
    world.wait(3)
    world.ticker.tick()
    assert world.queue.syncs == [3, 3]


def test_a_sync_that_a_person_asked_for_happens_at_once(world):
    world.know(synced=1, sync_asked=True)
    world.ticker.tick()
    assert world.queue.syncs == [3]


def test_runs_that_are_due_are_started_when_they_may(world):
    run = world.runs.add_run(3, "25 changed documents", False, "x", 60)
    world.runs.add_run(4, "again", False, "x", 60, not_before=datetime.now(timezone.utc) + timedelta(hours=1))
    world.ticker.tick()
    assert world.queue.trainings == [run.id]


def test_a_run_whose_trainer_was_killed_is_repeated(world, monkeypatch):
    run = world.runs.add_run(3, "25 changed documents", False, "x", 60)
    assert world.runs.claim_run(run.id)
    world.ticker.tick()
    assert world.queue.trainings == []
    monkeypatch.setattr(
        "ml_backend.store.runs.store_time", lambda _: datetime.now(timezone.utc) + timedelta(seconds=31)
    )
    world.ticker.tick()
    (again, before) = world.runs.runs(3)
    assert (before.state, again.state, again.attempt) == ("interrupted", "due", 2)
    assert world.queue.trainings == [again.id]


def test_a_promotion_brings_a_rescoring_until_the_store_says_that_it_is_done(world):
    world.know(synced=1)
    world.ticker.tick()
    assert world.queue.rescorings == [], "the weights that ship were pushed by whoever set the project up"
    world.serving[3] = "p3-v1-00000001.aaaaaa"
    for _ in range(3):
        world.ticker.tick()
    assert world.queue.rescorings == [3], "what is under way is not asked for every two seconds"
    world.wait(20)
    world.ticker.tick()
    assert world.queue.rescorings == [3, 3]
    world.know(synced=1, rescored_version="p3-v1-00000001.aaaaaa")
    world.wait(20)
    world.ticker.tick()
    assert world.queue.rescorings == [3, 3]


@pytest.mark.parametrize(("rescored", "asked"), [(SHIPPED, [3]), (None, [])])
def test_new_tasks_are_scored_where_this_backend_sets_the_order(world, rescored, asked):
    world.know(synced=1, rescored_version=rescored)
    world.events[3] = Waiting(START, START, new_tasks=True)
    world.wait(2)
    world.ticker.tick()
    assert world.queue.rescorings == asked
    assert world.queue.syncs == [3]


def test_rolling_back_to_the_weights_that_ship_brings_one_too(world):
    world.know(synced=1, rescored_version="p3-v1-00000001.aaaaaa")
    world.ticker.tick()
    assert world.queue.rescorings == [3]


def test_nothing_is_rescored_while_it_is_in_doubt_what_serves(world):
    world.know(synced=1, rescored_version="p3-v1-00000001.aaaaaa")
    world.serving[3] = None
    world.ticker.tick()
    assert world.queue.rescorings == []


def test_one_failure_does_not_keep_the_rest_from_being_looked_at(world):
    run = world.runs.add_run(3, "asked for", True, "x", 60)

    def fail():
        raise BackendError("The store cannot be read.")

    world.ticker._events = fail
    with pytest.raises(BackendError, match="store"):
        world.ticker.tick()
    assert world.queue.trainings == [run.id]


def test_what_a_queue_that_was_down_did_not_take_is_asked_for_again(world):
    world.know(synced=1, rescored_version="p3-v1-00000001.aaaaaa")
    world.queue.down = True
    with pytest.raises(QueueError):
        world.ticker.tick()
    world.queue.down = False
    world.ticker.tick()
    assert world.queue.rescorings == [3]


def test_what_is_no_longer_kept_is_removed_soon_after_the_start_and_then_every_hour(world):
    def asked_after(seconds):
        world.wait(seconds)
        world.ticker.tick()
        return len(world.queue.tidyings)

    assert [asked_after(seconds) for seconds in (0, 599, 1, 60, 3539, 1, 3600)] == [0, 0, 1, 1, 1, 2, 3]
    world.queue.down = True
    with pytest.raises(QueueError):
        asked_after(3600)
    world.queue.down = False
    assert asked_after(2) == 4
