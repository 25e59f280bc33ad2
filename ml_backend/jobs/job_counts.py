"""How often jobs were done, failed or killed, and how long they took: counted in Redis, for all machines together.

Workers come and go and answer no web request, so what they count would be lost with them. A Redis that is emptied
starts the counts again, as a restarted process would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from redis import Redis
from redis.exceptions import RedisError

from ml_backend.jobs.queue import unreachable
from ml_backend.observability.logs import get_logger

JobOutcome = Literal["done", "failed", "killed"]

_COUNTS, _SECONDS = "tally:jobs", "tally:job-seconds"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobCount:
    """How often jobs of one kind came to one outcome, and how many seconds they took together."""

    count: int
    seconds: float


class JobTally:
    """Counts jobs; processes on several machines may share what it counts.

    Args:
        connection: Redis.
    """

    def __init__(self, connection: Redis) -> None:
        self._redis = connection

    def count(self, kind: str, outcome: JobOutcome, seconds: float) -> None:
        """Count one job; where Redis cannot be reached, it goes uncounted."""
        name = f"{kind} {outcome}"
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.hincrby(_COUNTS, name, 1)
                pipeline.hincrbyfloat(_SECONDS, name, round(seconds, 6))
                pipeline.execute()
        except RedisError as error:
            _log.warning("job_not_counted", kind=kind, outcome=outcome, error=type(error).__name__)

    def read(self) -> Mapping[tuple[str, str], JobCount]:
        """Return all counts by kind and outcome.

        Raises:
            QueueError: If Redis cannot be reached.
        """
        try:
            counts: Mapping[bytes, bytes] = self._redis.hgetall(_COUNTS)  # type: ignore[assignment]
            seconds: Mapping[bytes, bytes] = self._redis.hgetall(_SECONDS)  # type: ignore[assignment]
        except RedisError as error:
            raise unreachable(error) from error
        found = {}
        for name, count in counts.items():
            try:
                kind, _, outcome = name.decode().partition(" ")
                found[kind, outcome] = JobCount(int(count), float(seconds.get(name, 0)))
            except ValueError:
                # Written by somebody else: it must not keep the other numbers from Prometheus.
                _log.warning("job_count_unreadable", name=repr(name)[:100])
        return found
