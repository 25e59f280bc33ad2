import threading

import pytest

from ml_backend.admin.action_store import ActionStore
from ml_backend.admin.actions import Actions
from ml_backend.database import open_engine
from ml_backend.errors import LabelStudioError
from ml_backend.words import say


@pytest.fixture
def store(store_url):
    engine = open_engine(store_url)
    yield ActionStore(engine)
    engine.dispose()


def test_the_outcome_of_an_action_is_kept_with_its_values(store):
    outcome = [say("{count} annotations came over from «{where}».", count=3, where=say("Label Studio"))]
    Actions(store).start("key", 7, "sync", lambda: outcome)
    (action,) = store.latest(7)
    assert (action.name, action.state) == ("sync", "done")
    assert str(action.outcome[0]) == "3 annotations came over from «Label Studio»."


def test_a_form_that_is_sent_twice_counts_once(store):
    done = []
    actions = Actions(store)
    for _ in range(2):
        actions.start("key", 7, "rollback", lambda: [done.append(1) or say("Done.")])
    assert done == [1]


def test_two_clicks_at_the_same_moment_count_once(store):
    done, both = [], threading.Barrier(2)

    def click():
        both.wait()
        Actions(store).start("key", 7, "rollback", lambda: [done.append(1) or say("Done.")])

    clicks = [threading.Thread(target=click) for _ in range(2)]
    [each.start() for each in clicks]
    [each.join() for each in clicks]
    assert done == [1]


def test_an_action_that_runs_is_not_started_beside_itself(store):
    assert store.begin("first", 7, "sync")
    assert not store.begin("second", 7, "sync")
    assert store.begin("third", 7, "collect")
    assert store.begin("fourth", 8, "sync")
    store.end("first", "done", [])
    assert store.begin("second", 7, "sync")


def test_a_failure_is_kept_in_the_words_of_the_error(store):
    def fail():
        raise LabelStudioError("Label Studio does not answer.", "Start it.")

    Actions(store).start("key", 7, "sync", fail)
    action = store.action("key")
    assert action.state == "failed"
    assert [str(words) for words in action.outcome] == ["Label Studio does not answer.", "Start it."]


def test_what_fails_unexpectedly_is_said_without_its_details(store):
    Actions(store).start("key", 7, "sync", lambda: 1 / 0)
    (words,) = store.action("key").outcome
    assert "division" not in str(words)
