"""RQ's workers as we need them: registered jobs alone, log lines that say what they belong to, signs of life."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker, Worker
from rq.executions import Execution
from rq.job import Job
from rq.worker import WorkerStatus
from structlog.contextvars import bound_contextvars

from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import WORKER_QUEUES, kind_of
from ml_backend.jobs.registered import SERIALIZER, TRAINING_QUEUE, RegisteredJob, RegisteredOnly, registered_queue


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


def build_trainer(connection: Redis) -> Worker:
    """Return a worker that forks for each run.

    Args:
        connection: Redis; without a limit on waiting, since the trainer waits for runs.
    """
    queue = registered_queue(TRAINING_QUEUE, connection)
    return TracedWorker([queue], connection=connection, serializer=SERIALIZER)


#: Seconds between two signs of life of a job, and for how long one counts.
BEAT_SECONDS = 15.0
LIFE_SECONDS = 60


class LivelyWorker(Traced, SimpleWorker):  # type: ignore[misc]
    """Does jobs in this process, as :class:`rq.SimpleWorker` does, which however says once that a job lives.

    RQ believes that for as long as the job may take: hours, where a project is synced, in which a job of the same id
    cannot be added. Here a thread says so again and again, as RQ's forking worker does.
    """

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do a job, and give signs of life until it is done; one that is none of ours is refused."""
        if self.refused(job, queue):
            return
        execution = self.prepare_execution(job)
        done = threading.Event()
        beats = threading.Thread(target=self._beat, args=(job, execution, done), name="job-heartbeat", daemon=True)
        beats.start()
        try:
            self.perform_job(job, queue, execution)
        finally:
            done.set()
            beats.join()
        self.set_state(WorkerStatus.IDLE)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Return for how many seconds a sign of life counts."""
        return LIFE_SECONDS

    def _beat(self, job: Job, execution: Execution, done: threading.Event) -> None:
        while not done.wait(BEAT_SECONDS):
            # A Redis that is down for a moment is no reason to end the job.
            with suppress(RedisError):
                self.maintain_heartbeats(job, execution)


def build_worker(connection: Redis, queues: Sequence[str] = WORKER_QUEUES) -> LivelyWorker:
    """Return a worker that runs jobs in this very process.

    RQ's usual worker forks for every job. ONNX Runtime's and torch's threads do not survive a fork, so each job would
    have to load the models again; here they are loaded once. Jobs to be tried again are brought back by the ticker.

    Args:
        connection: Redis; without a limit on waiting, since the worker waits for jobs.
        queues: What it looks into, the most urgent first.
    """
    found = [registered_queue(name, connection) for name in queues]
    return LivelyWorker(found, connection=connection, serializer=SERIALIZER)
