"""What the store says is due goes into the queue, once, whatever else fails."""

from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.errors import BackendError
from ml_backend.jobs.queue import QueueError
from ml_backend.jobs.ticker import Ticker
from ml_backend.store.annotations import ASKED, ProjectState
from ml_backend.store.event_times import Waiting
from ml_backend.store.events import Store
from ml_backend.store.runs import RunStore

START = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
SHIPPED = "cards-12345678.aaaaaa"


class Asked:
    """Remembers what was put into the queue; can be down."""

    def __init__(self):
        self.syncs, self.trainings, self.rescorings, self.tidyings = [], [], [], []
        self.findings = []
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

    def enqueue_finding(self):
        return self._add(self.findings, None)

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


LATER = START + timedelta(hours=1)


def test_a_project_nobody_has_looked_at_is_looked_at_at_once_and_then_when_its_time_has_come(world):
    world.know(synced=1)
    for _ in range(3):
        world.ticker.tick()
    assert world.queue.rescorings == [3], "what waits in the queue is not asked for every two seconds"
    world.know(synced=1, predict_at=START + timedelta(seconds=300), rescored_version=SHIPPED)
    world.wait(299)
    world.ticker.tick()
    assert world.queue.rescorings == [3]
    world.wait(1)
    world.ticker.tick()
    assert world.queue.rescorings == [3, 3]


def test_a_promotion_and_a_rollback_bring_a_look_at_once(world):
    world.know(synced=1, predict_at=LATER, rescored_version=SHIPPED)
    world.ticker.tick()
    assert world.queue.rescorings == []
    world.serving[3] = "p3-v1-00000001.aaaaaa"
    for _ in range(3):
        world.ticker.tick()
    assert world.queue.rescorings == [3]
    del world.serving[3]
    world.ticker.tick()
    assert world.queue.rescorings == [3, 3]


def test_a_version_that_was_promoted_while_no_worker_ran_is_found_at_the_start(world):
    world.know(synced=1, predict_at=LATER, rescored_version="p3-v1-00000001.aaaaaa")
    world.ticker.tick()
    assert world.queue.rescorings == [3]


@pytest.mark.parametrize("rescored", [SHIPPED, None, "p3-v1-00000001.aaaaaa"])
def test_new_tasks_bring_a_look_whatever_serves_once_their_burst_is_over(world, rescored):
    world.serving[3] = rescored or SHIPPED
    world.know(synced=1, predict_at=LATER, rescored_version=rescored)
    world.ticker.tick()
    before = len(world.queue.rescorings)
    world.wait(60)
    world.events[3] = Waiting(world.now, world.now, new_tasks=True)
    world.ticker.tick()
    assert len(world.queue.rescorings) == before
    world.wait(2)
    world.ticker.tick()
    world.ticker.tick()
    assert len(world.queue.rescorings) == before + 1


def test_new_tasks_bring_a_look_though_a_sync_is_done_with_their_event_before(world):
    world.know(synced=1, predict_at=LATER, rescored_version=SHIPPED)
    world.events[3] = Waiting(START, START, new_tasks=True)
    world.ticker.tick()
    world.events.clear()
    world.wait(2)
    world.ticker.tick()
    assert world.queue.rescorings == [3]


def test_new_tasks_bring_another_look_where_one_was_under_way_already(world):
    world.know(synced=1, predict_at=LATER, rescored_version=SHIPPED)
    world.events[3] = Waiting(START, START, new_tasks=True)
    enqueue, world.queue.enqueue_rescoring = world.queue.enqueue_rescoring, lambda _project: False
    world.wait(3)
    world.ticker.tick()
    world.events.clear()
    world.queue.enqueue_rescoring = enqueue
    world.wait(2)
    world.ticker.tick()
    world.ticker.tick()
    assert world.queue.rescorings == [3]


def test_an_import_without_an_end_brings_looks_now_and_then(world):
    world.know(synced=1, predict_at=LATER, rescored_version=SHIPPED)
    for _ in range(40):
        world.events[3] = Waiting(START, world.now, new_tasks=True)
        world.ticker.tick()
        world.wait(2)
    assert len(world.queue.rescorings) in (3, 4)


def test_a_person_who_asks_for_it_gets_a_look(world):
    world.know(synced=1, predict_at=LATER, rescored_version=SHIPPED)
    world.ticker.tick()
    world.know(synced=1, predict_at=LATER, rescored_version=ASKED)
    world.ticker.tick()
    assert world.queue.rescorings == [3]


def test_projects_that_people_have_connected_are_looked_for_at_the_start_and_every_minute(world):
    for seconds, count in ((0, 1), (30, 1), (30, 2)):
        world.wait(seconds)
        world.ticker.tick()
        assert len(world.queue.findings) == count


def test_a_worker_without_models_leaves_open_tasks_to_the_others(world):
    world.know(synced=1)
    world.ticker._serving = None
    world.events[3] = Waiting(START, START, new_tasks=True)
    world.wait(5)
    world.ticker.tick()
    assert (world.queue.rescorings, world.queue.findings) == ([], [])
    assert world.queue.syncs == [3]


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


def test_a_clock_that_is_set_back_holds_nothing_up(world):
    world.know(synced=-10)
    world.ticker.tick()
    world.wait(-3600)
    asked = len(world.queue.syncs)
    world.know(synced=20)
    world.ticker.tick()
    assert len(world.queue.syncs) == asked + 1
    world.know(synced=-3590)
    world.events = {4: Waiting(START, START)}
    world.ticker.tick()
    assert 4 in world.queue.syncs
