"""A store whose lock somebody else holds stops nothing for longer than a request's patience."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ml_backend.store.engine import StoreBusyError
from ml_backend.store.events import Store
from ml_backend.store.group_commit import STUCK_SECONDS, GroupCommit
from ml_backend.store.patience import wait_together, waiting
from tests.ml_backend.admin.conftest import Visitor
from tests.ml_backend.api.test_protocol import OneWordReader
from tests.ml_backend.backend import ImageTable, build_backend

PATIENCE = 0.6
EVENT = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "annotation": {"id": 5}, "task": {"id": 3}}
#: What a request may take besides waiting, on a busy machine.
SLACK = 5.0


@contextmanager
def locked(settings) -> Iterator[None]:
    """Hold the store's lock, as another process does."""
    other = sqlite3.connect(settings.store_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@pytest.fixture(autouse=True)
def no_budget() -> Iterator[None]:
    yield
    wait_together(None)


@pytest.fixture
def backend(make_settings, monkeypatch):
    monkeypatch.setattr("ml_backend.app.STORE_PATIENCE_SECONDS", PATIENCE)
    settings = make_settings(api_token="a token of the tests", webhook_secret="hush")
    return build_backend(settings, OneWordReader(), None, ImageTable()), settings


def test_a_request_comes_back_within_its_patience_and_works_once_the_lock_is_gone(backend):
    backend, settings = backend
    post = {"json": EVENT, "headers": {"X-Webhook-Secret": "hush"}}
    with locked(settings):
        begun = time.monotonic()
        answer = backend.client.post("/webhook", **post)
        assert time.monotonic() - begun < PATIENCE + SLACK
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "locked" in answer.json["error"]
        assert backend.services.store.pending_events() == []
    assert backend.client.post("/webhook", **post).status_code == 201
    assert len(backend.services.store.pending_events()) == 1


def test_many_requests_wait_beside_each_other_and_each_says_truly_whether_its_event_is_there(backend):
    backend, settings = backend

    def send(number: int) -> int:
        event = EVENT | {"annotation": {"id": number}}
        return backend.client.post("/webhook", json=event, headers={"X-Webhook-Secret": "hush"}).status_code

    with ThreadPoolExecutor(20) as pool:
        with locked(settings):
            begun = time.monotonic()
            refused = list(pool.map(send, range(20)))
            # The last caller has waited for the others: twice the patience at most.
            assert time.monotonic() - begun < 2 * PATIENCE + SLACK
        assert set(refused) == {503}
        assert list(pool.map(send, range(100, 120))) == [201] * 20
    stored = backend.services.store.pending_events()
    assert sorted(event.annotation_ids[0] for event in stored) == list(range(100, 120))


def test_all_waits_of_a_request_share_one_budget(make_settings):
    settings = make_settings()
    store = Store(settings.store_url)
    wait_together(PATIENCE)
    with locked(settings):
        begun = time.monotonic()
        for _ in range(10):
            with pytest.raises(StoreBusyError):
                store.mark_processed([1])
        assert time.monotonic() - begun < PATIENCE + SLACK
    store.mark_processed([1])
    store.close()


def test_what_nobody_waits_for_is_more_patient():
    with waiting() as alone:
        pass
    wait_together(PATIENCE)
    with waiting() as asked:
        pass
    assert alone > asked == PATIENCE


def test_a_wait_takes_its_time_off_the_budget():
    wait_together(PATIENCE)
    with waiting():
        time.sleep(0.2)
    with waiting() as left:
        assert left < PATIENCE - 0.15


def test_a_batch_that_met_a_lock_is_not_tried_again_one_by_one():
    batches: list[list[int]] = []
    entered, go_on = threading.Event(), threading.Event()

    def write(numbers):
        batches.append(list(numbers))
        entered.set()
        assert go_on.wait(30)
        raise StoreBusyError()

    together = GroupCommit(write)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(together, 0)]
        assert entered.wait(30)
        calls += [pool.submit(together, number) for number in range(1, 6)]
        while len(together._queue) < 5:
            time.sleep(0.01)
        go_on.set()
        assert all(isinstance(call.exception(30), StoreBusyError) for call in calls)
    assert [len(batch) for batch in batches] == [1, 5]


def test_when_too_many_wait_for_a_write_that_is_stuck_the_next_is_refused_at_once():
    entered, go_on = threading.Event(), threading.Event()

    def write(numbers):
        entered.set()
        assert go_on.wait(30)
        return list(numbers)

    together = GroupCommit(write, most_waiting=3)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(together, 0)]
        assert entered.wait(30)
        calls += [pool.submit(together, number) for number in range(1, 4)]
        while len(together._queue) < 3:
            time.sleep(0.01)
        time.sleep(STUCK_SECONDS + 0.1)
        begun = time.monotonic()
        with pytest.raises(StoreBusyError):
            together(4)
        assert time.monotonic() - begun < 1
        go_on.set()
        assert [call.result(30) for call in calls] == [0, 1, 2, 3]
    assert together(5) == 5


def test_the_panel_says_so_too_and_its_button_works_afterwards(make_settings, monkeypatch):
    monkeypatch.setattr("ml_backend.app.STORE_PATIENCE_SECONDS", PATIENCE)
    settings = make_settings(api_token="a token of the tests")
    visitor = Visitor(build_backend(settings, OneWordReader(), None, ImageTable()).app)
    assert visitor.log_in("a token of the tests").status_code == 303
    form = {"form": visitor.secret("/admin/projects/7/"), "key": "once and no more"}
    with locked(settings):
        answer = visitor.http.post("/admin/projects/7/actions/rescore", data=form)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
    assert visitor.http.post("/admin/projects/7/actions/rescore", data=form).status_code == 303
