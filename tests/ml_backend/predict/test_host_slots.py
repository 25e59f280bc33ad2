"""Slow hosts do not keep the others from being fetched."""

import threading
from concurrent.futures import CancelledError

import pytest

from ml_backend.predict.host_slots import HostSlots


@pytest.fixture
def slots():
    found = HostSlots(most=6, of_a_host=2)
    yield found
    found.close()


def test_a_host_that_does_not_answer_leaves_the_others_their_slots(slots):
    go_on = threading.Event()

    def hang():
        assert go_on.wait(60)
        return b"late"

    slow = [slots.submit(f"http://slow.example/{number}", hang) for number in range(8)]
    other = [slots.submit(url, lambda: b"image") for url in ("/data/upload/1/a.png", "http://quick.example/a")]
    assert [future.result(30) for future in other] == [b"image", b"image"]
    assert not any(future.done() for future in slow)
    go_on.set()
    assert [future.result(30) for future in slow] == [b"late"] * 8


def test_no_more_than_its_share_of_a_host_is_fetched_at_a_time(slots):
    lock, running, most = threading.Lock(), [0], [0]

    def fetch():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.01)
        with lock:
            running[0] -= 1
        return b""

    futures = [slots.submit("http://host.example/a", fetch) for _ in range(20)]
    assert [future.result(30) for future in futures] == [b""] * 20
    assert most[0] == 2


def test_a_failure_is_raised_where_somebody_waits_and_frees_the_slot(slots):
    failed = [slots.submit("http://host.example/a", lambda: 1 / 0) for _ in range(5)]
    assert all(isinstance(future.exception(30), ZeroDivisionError) for future in failed)
    assert slots.submit("http://host.example/a", lambda: b"image").result(30) == b"image"


def test_what_was_given_up_is_not_fetched(slots):
    go_on, fetched = threading.Event(), []

    def hold():
        assert go_on.wait(30)
        return b""

    held = [slots.submit("http://host.example/a", hold) for _ in range(2)]
    given_up = slots.submit("http://host.example/b", lambda: fetched.append(1) or b"")
    assert given_up.cancel()
    last = slots.submit("http://host.example/c", lambda: b"c")
    go_on.set()
    assert last.result(30) == b"c"
    assert [future.result(30) for future in held] == [b"", b""]
    assert fetched == []
    with pytest.raises(CancelledError):
        given_up.result(1)
