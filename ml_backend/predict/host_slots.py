"""Threads that fetch images, of which one slow host cannot hold all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

#: Images that are fetched at a time, from all hosts and from one.
MOST_FETCHES = 64
MOST_OF_A_HOST = 4

_Job = tuple["Future[bytes]", Callable[[], bytes]]


class HostSlots:
    """Fetches in threads: a few of each host at a time, so that others are fetched while one does not answer.

    Args:
        most: Fetches at a time, from all hosts together.
        of_a_host: Fetches at a time from one host.
    """

    def __init__(self, most: int = MOST_FETCHES, of_a_host: int = MOST_OF_A_HOST) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="fetch")
        self._of_a_host = of_a_host
        self._lock = threading.Lock()
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[_Job]] = {}

    def submit(self, url: str, fetch: Callable[[], bytes]) -> Future[bytes]:
        """Have a file fetched as soon as its host has a place.

        Args:
            url: Where it is.
            fetch: Gets it.
        """
        future: Future[bytes] = Future()
        host = _host(url)
        with self._lock:
            running = self._running.get(host, 0)
            if running >= self._of_a_host:
                self._waiting.setdefault(host, deque()).append((future, fetch))
                return future
            self._running[host] = running + 1
        self._pool.submit(self._work, host, (future, fetch))
        return future

    def close(self) -> None:
        """Begin nothing more."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for jobs in waiting.values():
            for future, _ in jobs:
                future.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, host: str, job: _Job | None) -> None:
        while job is not None:
            future, fetch = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fetch())
                except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
                    future.set_exception(error)
            job = self._next(host)

    def _next(self, host: str) -> _Job | None:
        with self._lock:
            jobs = self._waiting.get(host)
            if jobs:
                job = jobs.popleft()
                if not jobs:
                    del self._waiting[host]
                return job
            self._running[host] -= 1
            if not self._running[host]:
                del self._running[host]
            return None


def _host(url: str) -> str:
    """Return whose slots an address takes; a path is Label Studio's."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
