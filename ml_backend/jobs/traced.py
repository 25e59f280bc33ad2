"""Workers whose jobs say in every log line what they are, and are counted by what became of them."""

from __future__ import annotations

import time
from typing import Any

from redis import Redis
from rq import Worker
from structlog.contextvars import bound_contextvars

from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import kind_of
from ml_backend.jobs.registered import RegisteredJob, RegisteredOnly


class Traced(RegisteredOnly):
    """What workers of every kind do around a job."""

    job_class = RegisteredJob

    connection: Redis

    def perform_job(self, job: Any, queue: Any, execution: Any) -> bool:
        """Do a job; every line that is logged meanwhile carries its id, and that of the request that caused it."""
        start = time.perf_counter()
        with bound_contextvars(job=job.id, **{name: job.meta[name] for name in ("request",) if name in job.meta}):
            done: bool = super().perform_job(job, queue, execution)  # type: ignore[misc]
        JobTally(self.connection).count(kind_of(job), "done" if done else "failed", time.perf_counter() - start)
        return done

    def handle_work_horse_killed(self, job: Any, *arguments: Any) -> None:
        """Count a job whose process was killed: it cannot do so itself."""
        JobTally(self.connection).count(kind_of(job), "killed", 0.0)
        super().handle_work_horse_killed(job, *arguments)  # type: ignore[misc]


class TracedWorker(Traced, Worker):  # type: ignore[misc]
    """RQ's worker that forks for each job."""

    def execute_job(self, job: Any, queue: Any) -> None:
        """Do a job in a process of its own; one that is none of ours is refused before that."""
        if not self.refused(job, queue):
            super().execute_job(job, queue)
