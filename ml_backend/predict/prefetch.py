"""A batch of tasks within its time: pages fetched a few ahead of the models, and whether more of them fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from itertools import islice

from ml_backend.label_studio.label_config import PageId
from ml_backend.predict.host_slots import HostSlots

#: Pages of one batch that are fetched, or wait in memory, while the models work on another.
FETCH_AHEAD = 4

PageAddress = tuple[PageId, str]


class PagePrefetcher:
    """Fetches the pages of a batch's tasks in their order, a few ahead of the caller.

    Args:
        pool: What fetches; other batches may share it.
        fetch: Gets a file by its address and its task's number.
        tasks: The number of each task, and where its pages are.
    """

    def __init__(
        self,
        pool: HostSlots,
        fetch: Callable[[str, int], bytes],
        tasks: Sequence[tuple[int, Sequence[PageAddress]]],
    ) -> None:
        self._pool = pool
        self._fetch = fetch
        self._rest: Iterator[tuple[int, PageId, str, int]] = iter(
            [(place, page, url, number) for place, (number, pages) in enumerate(tasks) for page, url in pages]
        )
        self._place = 0
        self._waiting: deque[tuple[tuple[int, PageId], Future[bytes]]] = deque()
        self._start(FETCH_AHEAD)

    def take(self, place: int, page: PageId, timeout: float) -> bytes:
        """Return the file of a page; those that stand before it and were not taken are given up.

        Args:
            place: Index of its task in the batch.
            page: Which page of the task, not asked for before.
            timeout: Most seconds to wait.

        Raises:
            concurrent.futures.TimeoutError: If it does not come in time.
            BackendError: If it cannot be fetched, or must not be.
        """
        self._place = place
        while True:
            whose, future = self._waiting.popleft()
            try:
                if whose == (place, page):
                    return future.result(timeout)
                future.cancel()
            finally:
                self._start(1)

    def close(self) -> None:
        """Give up what nobody has asked for."""
        for _, future in self._waiting:
            future.cancel()

    def _start(self, count: int) -> None:
        # What is left of tasks that were given up is passed over.
        wanted = (entry for entry in self._rest if entry[0] >= self._place)
        for place, page, url, number in islice(wanted, count):
            # With a copy of the context: lines of these threads belong to the request too.
            self._waiting.append(
                ((place, page), self._pool.submit(url, partial(copy_context().run, self._fetch, url, number)))
            )


class TimeBudget:
    """How long pages take, and with that whether more of them fit into the time that is left.

    Args:
        deadline: When the time is up, by ``clock``.
        clock: Seconds.
    """

    def __init__(self, deadline: float, clock: Callable[[], float]) -> None:
        self._deadline = deadline
        self._clock = clock
        self._slowest = 0.0
        self._spent = 0.0
        self._pages = 0
        self._began: float | None = None

    @property
    def left(self) -> float:
        """Seconds until the time is up, 0 or more."""
        return max(0.0, self._deadline - self._clock())

    def fits(self, pages: int) -> bool:
        """Tell whether so many pages fit: one as slow as the slowest, and all of them at the mean.

        With that a long document does not use up the time of the tasks behind it before it is left out itself. The
        pages count as begun now: a caller that asks again, or calls :meth:`pause`, has done one.
        """
        self.pause()
        mean = self._spent / self._pages if self._pages else 0.0
        if max(self._slowest, mean * pages) >= self.left:
            return False
        self._began = self._clock()
        return True

    def pause(self) -> None:
        """Note that the page that was begun is done, or has failed."""
        if self._began is not None:
            took = self._clock() - self._began
            self._slowest, self._spent, self._pages = max(self._slowest, took), self._spent + took, self._pages + 1
            self._began = None
