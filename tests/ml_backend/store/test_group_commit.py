"""Writes of many threads are made in few, and each thread learns of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml_backend.store.group_commit import GroupCommit


class Slow:
    """Writes numbers from 0 up, as soon as it may."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go_on = threading.Event(), threading.Event()

    def write(self, numbers: Sequence[int]) -> list[str]:
        self.batches.append(list(numbers))
        self.entered.set()
        assert self.go_on.wait(30)
        if any(number < 0 for number in numbers):
            raise ValueError("below zero")
        return [f"{number} written" for number in numbers]


def test_one_thread_writes_at_once() -> None:
    slow = Slow()
    slow.go_on.set()
    assert GroupCommit(slow.write)(1) == "1 written"
    assert slow.batches == [[1]]


def test_what_waits_is_written_together() -> None:
    slow = Slow()
    together = GroupCommit(slow.write)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together, 0)
        assert slow.entered.wait(30)
        others = [pool.submit(together, number) for number in range(1, 6)]
        while len(together._queue) < 5:
            threading.Event().wait(0.01)
        slow.go_on.set()
        assert first.result(30) == "0 written"
        assert [other.result(30) for other in others] == [f"{number} written" for number in range(1, 6)]
    assert [len(batch) for batch in slow.batches] == [1, 5]


def test_one_that_fails_does_not_touch_the_others() -> None:
    slow = Slow()
    together = GroupCommit(slow.write)
    with ThreadPoolExecutor(8) as pool:
        pool.submit(together, 0)
        assert slow.entered.wait(30)
        bad, good = pool.submit(together, -1), pool.submit(together, 1)
        while len(together._queue) < 2:
            threading.Event().wait(0.01)
        slow.go_on.set()
        with pytest.raises(ValueError, match="below zero"):
            bad.result(30)
        assert good.result(30) == "1 written"
    assert together(2) == "2 written"
