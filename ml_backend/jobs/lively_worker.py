"""RQ's worker that does jobs in its own process, with signs of life: a minute after it is killed, its job is free."""

from __future__ import annotations

import threading
from contextlib import suppress

from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.worker import WorkerStatus

from ml_backend.jobs.traced import Traced

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
