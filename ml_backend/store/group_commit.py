"""Many threads' writes in one: what waits while a write is on its way is written together by the next.

A transaction costs a wait for the disk, whatever it holds. In a burst, one wait then serves all who came meanwhile
("group commit": DeWitt et al., SIGMOD 1984).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Hands items of several threads to one call.

    Args:
        write: Writes items, all or none, and returns a result for each.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._write = write
        self._turn = threading.Lock()
        self._queue: list[_Waiting[Item, Result]] = []
        self._queue_lock = threading.Lock()

    def __call__(self, item: Item) -> Result:
        """Write an item, alone or with those of other threads; return when it is written.

        Raises:
            Exception: What writing it raises. Where several are written, one that fails does not touch the others.
        """
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._queue_lock:
            self._queue.append(mine)
        with self._turn:
            if not mine.done:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                self._write_batch(batch)
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]

    def _write_batch(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = self._write([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - each thread raises its own
            if len(batch) == 1:
                batch[0].error, batch[0].done = error, True
                return
            for waiting in batch:
                self._write_batch([waiting])
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.result, waiting.done = result, True
