"""Many threads' writes in one: what waits while a write is on its way is written together by the next.

A transaction costs a wait for the disk, whatever it holds. In a burst, one wait then serves all who came meanwhile
("group commit": DeWitt et al., SIGMOD 1984).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ml_backend.store.engine import StoreBusyError
from ml_backend.store.patience import waiting

Item = TypeVar("Item")
Result = TypeVar("Result")

#: While a write takes longer than this, no more items than these wait for it: each holds a thread.
STUCK_SECONDS = 1.0
MOST_WAITING = 32


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    taken: bool = False
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Hands items of several threads to one call.

    Args:
        write: Writes items, all or none, and returns a result for each.
        most_waiting: Items that may wait while a write is stuck.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]], most_waiting: int = MOST_WAITING) -> None:
        self._write = write
        self._most_waiting = most_waiting
        self._queue: list[_Waiting[Item, Result]] = []
        self._changed = threading.Condition()
        self._began: float | None = None

    def __call__(self, item: Item) -> Result:
        """Write an item, alone or with those of other threads; return when it is written.

        Raises:
            StoreBusyError: If it was not written because the store is locked, or too many wait already.
            Exception: What writing it raises. Where several are written, one that fails does not touch the others.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        if batch := self._take_turn(mine):
            try:
                self._write_batch(batch)
            finally:
                with self._changed:
                    for each in batch:
                        if not each.done:
                            # This thread was stopped.
                            each.error, each.done = StoreBusyError(), True
                    self._began = None
                    self._changed.notify_all()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]

    def _take_turn(self, mine: _Waiting[Item, Result]) -> list[_Waiting[Item, Result]]:
        """Wait until an item is written, or until this thread has to write what waits, which is returned."""
        with waiting() as seconds, self._changed:
            deadline = time.monotonic() + seconds
            if self._is_stuck() and len(self._queue) >= self._most_waiting:
                raise StoreBusyError()
            self._queue.append(mine)
            while self._began is not None and not mine.done:
                left = deadline - time.monotonic()
                if left <= 0 and not mine.taken:
                    self._queue.remove(mine)
                    raise StoreBusyError()
                # What is being written comes to an end within the patience of the thread that writes it.
                self._changed.wait(None if mine.taken else left)
            if mine.done:
                return []
            batch, self._queue = self._queue, []
            for each in batch:
                each.taken = True
            self._began = time.monotonic()
            return batch

    def _is_stuck(self) -> bool:
        return self._began is not None and time.monotonic() - self._began > STUCK_SECONDS

    def _write_batch(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = self._write([each.item for each in batch])
        except StoreBusyError:
            # None of them is at fault, and each would wait again by itself.
            for each in batch:
                each.error, each.done = StoreBusyError(), True
        except Exception as error:  # noqa: BLE001 - each thread raises its own
            if len(batch) == 1:
                batch[0].error, batch[0].done = error, True
                return
            for each in batch:
                self._write_batch([each])
        else:
            for each, result in zip(batch, results, strict=True):
                each.result, each.done = result, True
