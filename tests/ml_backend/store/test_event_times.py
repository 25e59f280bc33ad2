"""Since when events wait, by project."""

from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.store.event_times import Waiting, waiting_events
from ml_backend.store.events import Store

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def store(store_url):
    store = Store(store_url)
    yield store
    store.close()


def test_the_oldest_and_the_newest_open_event_of_each_project_count(store):
    def add(project, seconds, name="x"):
        moment = START + timedelta(seconds=seconds)
        return store.add_event({"n": name + str(seconds)}, action="A", project_id=project, received_at=moment)

    done = add(1, 0)
    first, last = add(1, 5), add(1, 9)
    other = add(2, 7)
    add(None, 8)
    store.mark_processed([done.id])
    assert waiting_events(store.engine) == {
        1: Waiting(first.received_at, last.received_at),
        2: Waiting(other.received_at, other.received_at),
    }


def test_the_second_of_two_equal_events_does_not_keep_a_burst_alive(store):
    for seconds in (0, 3):
        store.add_event({}, action="A", project_id=1, received_at=START + timedelta(seconds=seconds))
    assert waiting_events(store.engine)[1].newest == START


def test_news_of_new_tasks_stand_out(store):
    for project, action in ((1, "TASKS_CREATED"), (1, "ANNOTATION_CREATED"), (2, "TASKS_DELETED")):
        store.add_event({"action": action}, action=action, project_id=project)
    assert {project: item.new_tasks for project, item in waiting_events(store.engine).items()} == {1: True, 2: False}
