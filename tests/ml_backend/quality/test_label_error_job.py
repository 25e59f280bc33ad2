"""The button that searches for label errors, through a real Redis and a worker."""

import pytest
from redis import Redis

from ml_backend.admin.actions import ActionRunner
from ml_backend.container import TaskServices
from ml_backend.jobs.queue import JobQueue
from ml_backend.jobs.workers import build_worker
from ml_backend.quality.label_search import LabelSearch
from ml_backend.store.engine import open_engine
from ml_backend.store.panel_actions import ActionStore
from ml_backend.tasks import provide


@pytest.fixture
def actions(make_settings):
    engine = open_engine(make_settings().store_url)
    yield ActionStore(engine)
    provide(TaskServices())
    engine.dispose()


def test_a_worker_goes_on_with_the_button_and_says_what_came_of_it(redis_url, actions):
    searched = []
    provide(TaskServices(label_search=LabelSearch(actions, lambda project: searched.append(project) or ())))
    queue = JobQueue.at(redis_url)
    ActionRunner(actions).start("key", 7, "label_errors", lambda: queue.enqueue_label_search(7, "key") and None)
    assert not queue.enqueue_label_search(7, "another"), "one search of a project at a time"
    assert actions.action("key").state == "running"
    with Redis.from_url(redis_url) as connection:
        build_worker(connection).work(burst=True, logging_level="WARNING")
    assert searched == [7]
    action = actions.action("key")
    assert (action.state, [str(words) for words in action.outcome]) == ("done", ["No label is in doubt."])
