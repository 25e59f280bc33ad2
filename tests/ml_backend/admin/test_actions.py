import threading
from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.admin.actions import ActionRunner, finish
from ml_backend.errors import LabelStudioError
from ml_backend.i18n import say
from ml_backend.quality.label_search import LabelSearch
from ml_backend.store.engine import open_engine
from ml_backend.store.panel_actions import HANDED_OVER, LOST_AFTER, ActionStore


@pytest.fixture
def store(store_url):
    engine = open_engine(store_url)
    yield ActionStore(engine)
    engine.dispose()


def test_the_outcome_of_an_action_is_kept_with_its_values(store):
    outcome = [say('{count} annotations came over from "{where}".', count=3, where=say("Label Studio"))]
    ActionRunner(store).start("key", 7, "sync", lambda: outcome)
    (action,) = store.latest(7)
    assert (action.name, action.state) == ("sync", "done")
    assert str(action.outcome[0]) == '3 annotations came over from "Label Studio".'


def test_a_form_that_is_sent_twice_counts_once(store):
    done = []
    actions = ActionRunner(store)
    for _ in range(2):
        actions.start("key", 7, "rollback", lambda: [done.append(1) or say("Done.")])
    assert done == [1]


def test_two_clicks_at_the_same_moment_count_once(store):
    done, both = [], threading.Barrier(2)

    def click():
        both.wait()
        ActionRunner(store).start("key", 7, "rollback", lambda: [done.append(1) or say("Done.")])

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

    ActionRunner(store).start("key", 7, "sync", fail)
    action = store.action("key")
    assert action.state == "failed"
    assert [str(words) for words in action.outcome] == ["Label Studio does not answer.", "Start it."]


def test_what_fails_unexpectedly_is_said_without_its_details(store):
    ActionRunner(store).start("key", 7, "sync", lambda: 1 / 0)
    (words,) = store.action("key").outcome
    assert "division" not in str(words)


def test_what_another_process_goes_on_with_runs_until_that_one_ends_it(store):
    ActionRunner(store).start("key", 7, "label_errors", lambda: None)
    assert store.action("key").state == "running"
    assert not store.begin("other", 7, "label_errors")
    finish(store, "key", "label_errors", 7, lambda: [say("Done.")])
    assert store.action("key").state == "done"


def test_a_search_for_label_errors_ends_its_action_with_what_it_found(store):
    ActionRunner(store).start("key", 7, "label_errors", lambda: None)
    LabelSearch(store, lambda project: [object()] * 3).search(7, "key")
    assert [str(words) for words in store.action("key").outcome] == ["Annotated documents to look at again: 3."]


def test_a_search_that_fails_says_why_where_somebody_waits(store):
    def fail(project):
        raise LabelStudioError(say("Label Studio does not answer."))

    ActionRunner(store).start("key", 7, "label_errors", lambda: None)
    LabelSearch(store, fail).search(7, "key")
    assert (store.action("key").state, str(store.action("key").outcome[0])) == (
        "failed",
        "Label Studio does not answer.",
    )


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __call__(self, _connection):
        return self.now


@pytest.fixture
def timed(store):
    clock = Clock()
    return ActionStore(store._engine, clock), clock


def test_an_action_whose_process_was_killed_gives_its_button_back_after_a_minute(timed):
    actions, clock = timed
    assert actions.begin("first", 7, "sync")
    clock.now += LOST_AFTER - timedelta(seconds=1)
    assert not actions.begin("second", 7, "sync")
    assert actions.action("first").state == "running"
    clock.now += timedelta(seconds=1)
    interrupted = actions.action("first")
    assert (interrupted.state, str(interrupted.outcome[0])[:18]) == ("failed", "It was interrupted")
    assert actions.begin("second", 7, "sync")


def test_an_action_that_gives_signs_of_life_may_take_hours(timed):
    actions, clock = timed
    assert actions.begin("first", 7, "sync")
    for _ in range(300):
        clock.now += LOST_AFTER - timedelta(seconds=15)
        actions.beat("first")
    assert not actions.begin("second", 7, "sync")
    assert actions.action("first").state == "running"
    actions.end("first", "done", [])
    actions.beat("first")
    assert actions.action("first").state == "done"


def test_what_waits_for_another_process_is_not_lost_and_from_its_first_sign_of_life_on_is_like_any_other(timed):
    actions, clock = timed
    assert actions.begin("first", 7, "label_errors")
    finish(actions, "first", "label_errors", 7, lambda: None)
    clock.now += HANDED_OVER
    assert not actions.begin("second", 7, "label_errors")
    actions.beat("first")
    clock.now += LOST_AFTER
    assert actions.begin("second", 7, "label_errors")


def test_while_its_work_goes_on_an_action_beats(store, monkeypatch):
    monkeypatch.setattr("ml_backend.store.panel_actions.BEAT_SECONDS", 0.01)
    beaten = threading.Event()
    monkeypatch.setattr(store, "beat", lambda key: beaten.set())
    store.begin("key", 7, "sync")
    finish(store, "key", "sync", 7, lambda: [say("Done.")] if beaten.wait(30) else 1 / 0)
    assert store.action("key").state == "done"
