"""What Redis tells Prometheus of the jobs: how many wait, who works on them, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.queue import WORKER_QUEUES, JobQueue, unreachable
from ml_backend.jobs.registered import SERIALIZER, TRAINING_QUEUE
from ml_backend.observability.cached_collector import CachedCollector

_SECONDS = 5.0
_STATES = {"started": StartedJobRegistry, "scheduled": ScheduledJobRegistry, "failed": FailedJobRegistry}


class QueueMetrics(CachedCollector):
    """Counts the jobs of all machines, at most every five seconds.

    Args:
        queue: The queue; it must not wait long for a Redis that is down.
    """

    def __init__(self, queue: JobQueue) -> None:
        super().__init__("ml_backend_queue_up", "1 while the job queue's Redis answers.", _SECONDS)
        self._redis = queue.connection

    def look(self) -> Sequence[Metric]:
        """Return all numbers.

        Raises:
            QueueError: If Redis cannot be reached.
        """
        jobs = GaugeMetricFamily("ml_backend_queue_jobs", "Jobs by queue and state.", labels=["queue", "state"])
        workers = GaugeMetricFamily("ml_backend_workers", "Workers that look into a queue.", labels=["queue"])
        done = CounterMetricFamily(
            "ml_backend_jobs", "Tries of jobs by kind and outcome (done, failed, killed).", labels=["kind", "outcome"]
        )
        seconds = CounterMetricFamily(
            "ml_backend_job_seconds", "Time that these tries took.", labels=["kind", "outcome"]
        )
        try:
            for name in (*WORKER_QUEUES, TRAINING_QUEUE):
                queue = Queue(name, connection=self._redis, serializer=SERIALIZER)
                jobs.add_metric([name, "queued"], queue.count)
                for state, registry in _STATES.items():
                    members = registry(name, connection=self._redis, serializer=SERIALIZER)
                    jobs.add_metric([name, state], self._redis.zcard(members.key))
                workers.add_metric([name], Worker.count(queue=queue))
            for key, count in JobTally(self._redis).read().items():
                done.add_metric(key, count.count)
                seconds.add_metric(key, count.seconds)
        except RedisError as error:
            raise unreachable(error) from error
        return jobs, workers, done, seconds
