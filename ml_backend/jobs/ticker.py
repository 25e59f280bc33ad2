"""The ticker: looks at the store every few seconds and puts into the queue what is due.

The store is the truth and the queue carries hints. A webhook therefore never waits for Redis, and whatever a hint was
lost with (Redis, a worker, a trainer) comes back by itself. Every worker has a ticker, and several do no harm: what is
in the queue is not added again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Protocol

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import ASKED, ProjectState
from ml_backend.store.event_times import Waiting
from ml_backend.store.runs import Run

#: A sync waits until a burst of webhooks is over, but not for ever.
QUIET = timedelta(seconds=2)
PATIENCE = timedelta(seconds=20)
TICK_SECONDS = 2.0
#: What is wanted of a project's open tasks is put into the queue no more often than this.
RESCORE_SECONDS = 20.0
#: How often Label Studio is asked for projects that people have connected by hand; the first time at the start.
FIND_EVERY = timedelta(seconds=60)
#: How often what is no longer kept is removed; the first time soon after the start.
TIDY_EVERY, TIDY_FIRST = timedelta(hours=1), timedelta(minutes=10)

_log = get_logger(__name__)


class Runs(Protocol):
    """Where runs are kept; :class:`ml_backend.store.runs.RunStore` is one."""

    def due_runs(self) -> list[Run]:
        """Return the runs that may start now."""
        ...

    def stale_runs(self) -> list[Run]:
        """Return the running runs without a sign of life."""
        ...

    def interrupt(self, run_id: int) -> Run | None:
        """Give up on a run and have it repeated."""
        ...


class Queue(Protocol):
    """Where jobs wait; :class:`ml_backend.jobs.queue.JobQueue` is one."""

    def enqueue_sync(self, project_id: int) -> bool: ...  # noqa: D102

    def enqueue_training(self, run_id: int) -> bool: ...  # noqa: D102

    def enqueue_rescoring(self, project_id: int) -> bool: ...  # noqa: D102

    def enqueue_ordering(self, project_id: int) -> bool: ...  # noqa: D102

    def enqueue_finding(self) -> bool: ...  # noqa: D102

    def recover(self) -> None: ...  # noqa: D102
    def enqueue_tidying(self) -> bool: ...  # noqa: D102


class Ticker:
    """Puts into the queue what the store says is due.

    Args:
        events: Asked, by project, since when events wait that were not learned from yet.
        projects: Asked for what is known of each project.
        runs: Training runs.
        serving: Asked for the version that answers for a project; ``None`` while that is in doubt. In place of it
            ``None`` for a worker without models, which leaves open tasks to the others.
        queue: Where jobs wait.
        sync_seconds: How often a project is synced without an event.
        to_order: Asked for the projects whose tasks are to be put into order.
        clock: The time, in UTC.
    """

    def __init__(
        self,
        events: Callable[[], Mapping[int, Waiting]],
        projects: Callable[[], Sequence[ProjectState]],
        runs: Runs,
        serving: Callable[[int], str | None] | None,
        queue: Queue,
        *,
        sync_seconds: float,
        to_order: Callable[[], Sequence[int]] = lambda: (),
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._events = events
        self._projects = projects
        self._runs = runs
        self._serving = serving
        self._queue = queue
        self._sync_every = timedelta(seconds=sync_seconds)
        self._to_order = to_order
        self._clock = clock
        self._begun = clock()
        self._tidied = self._begun + TIDY_FIRST - TIDY_EVERY
        self._found = self._begun - FIND_EVERY
        self._looked: dict[int, datetime] = {}
        self._served: dict[int, str] = {}
        self._told: dict[int, Waiting] = {}
        self._ordered: dict[int, datetime] = {}
        self._stop = threading.Event()

    def start(self) -> None:
        """Tick in a thread of its own until :meth:`stop`."""
        threading.Thread(target=self._run, name="ticker", daemon=True).start()

    def stop(self) -> None:
        """End the thread after its present tick."""
        self._stop.set()

    def tick(self) -> None:
        """Look once. What fails does not keep the rest from being looked at.

        Raises:
            BackendError: The first failure, after all was looked at.
        """
        failures: list[BackendError] = []
        for look in (
            self._queue.recover,
            self._look_for_syncs,
            self._look_for_stale_runs,
            self._look_for_due_runs,
            self._look_for_open_tasks,
            self._look_for_projects,
            self._look_for_orders,
            self._look_for_tidying,
        ):
            try:
                look()
            except BackendError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _look_for_syncs(self) -> None:
        now = self._clock()
        over = {project_id: waiting for project_id, waiting in self._events().items() if self._is_over(waiting, now)}
        due = set(over)
        for state in self._projects():
            # The first look after a start asks for what was missed while nothing ran.
            since = state.synced_at
            if state.sync_asked or since is None or since < self._begun or _is_past(since, now, self._sync_every):
                due.add(state.id)
        for project_id in sorted(due):
            self._queue.enqueue_sync(project_id)

    @staticmethod
    def _is_over(waiting: Waiting, now: datetime) -> bool:
        """Tell whether a burst of events is over, or has lasted long enough."""
        return _is_past(waiting.newest, now, QUIET) or _is_past(waiting.oldest, now, PATIENCE)

    def _look_for_stale_runs(self) -> None:
        for run in self._runs.stale_runs():
            again = self._runs.interrupt(run.id)
            _log.warning("run_interrupted", run=run.id, project=run.project_id, again=again.id if again else None)

    def _look_for_due_runs(self) -> None:
        for run in self._runs.due_runs():
            self._queue.enqueue_training(run.id)

    def _look_for_open_tasks(self) -> None:
        """Have a project looked at when its time has come, and at once where something tells of a reason to."""
        if self._serving is None:
            return
        now = self._clock()
        for project_id, waiting in self._events().items():
            if waiting.new_tasks:
                # Kept until the project was looked at: a sync may be done with the events before.
                self._told[project_id] = waiting
        for state in self._projects():
            version = self._serving(state.id)
            promoted = version is not None and version != self._served.get(state.id, state.rescored_version)
            told = self._told.get(state.id)
            told_of = told is not None and self._is_over(told, now)
            wanted = promoted or told_of or state.rescored_version == ASKED
            if state.predict_at is not None and state.predict_at > now and not wanted:
                continue
            looked = self._looked.get(state.id)
            again = looked is None or _is_past(looked, now, timedelta(seconds=RESCORE_SECONDS))
            # Events may wait long for their sync, and bring one look all the same once their burst is over.
            quiet_since = None if told is None else told.newest + QUIET
            news = promoted or (quiet_since is not None and quiet_since <= now and (looked or now) < quiet_since)
            if again or news:
                if not self._queue.enqueue_rescoring(state.id):
                    # A look that is under way may have asked before there was this reason: another one follows it.
                    continue
                self._looked[state.id] = now
                self._told.pop(state.id, None)
                if version is not None:
                    self._served[state.id] = version

    def _look_for_projects(self) -> None:
        now = self._clock()
        if self._serving is not None and _is_past(self._found, now, FIND_EVERY):
            self._queue.enqueue_finding()
            self._found = now

    def _look_for_orders(self) -> None:
        now = self._clock()
        for project_id in self._to_order():
            asked = self._ordered.get(project_id)
            if asked is None or _is_past(asked, now, timedelta(seconds=RESCORE_SECONDS)):
                self._queue.enqueue_ordering(project_id)
                self._ordered[project_id] = now

    def _look_for_tidying(self) -> None:
        now = self._clock()
        if _is_past(self._tidied, now, TIDY_EVERY):
            self._queue.enqueue_tidying()
            self._tidied = now

    def _run(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            start = time.monotonic()
            try:
                self.tick()
            except BackendError as error:
                _log.warning("tick_failed", error=str(error))
            except Exception:  # noqa: BLE001 - a ticker that ends unseen would stop the loop for good
                _log.exception("tick_failed_unexpectedly")
            _log.debug("ticked", seconds=round(time.monotonic() - start, 3))


def _is_past(since: datetime, now: datetime, span: timedelta) -> bool:
    """Tell whether so much time has passed; also where a moment lies so far ahead: the clock was set back."""
    return abs(now - since) >= span
