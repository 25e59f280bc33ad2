"""The parts of a rescoring, in Redis: which are left, and which of them somebody works on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from redis.exceptions import RedisError
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from ml_backend.jobs.queue import JobQueue, unreachable
from ml_backend.jobs.registered import RegisteredJob

#: A part whose worker has given no sign of life for so long is given to another. Longer than one task may take.
LEASE_SECONDS = 60
_KEPT_SECONDS = 7 * 24 * 3600

_WAITING = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DEFERRED, JobStatus.CREATED)


class Chunks:
    """Hands out the parts of a rescoring; processes may share it.

    Every method raises :class:`ml_backend.jobs.queue.QueueError` if Redis cannot be reached.

    Args:
        queue: Where parts wait for a worker.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._redis = queue.connection

    def begin(self, project_id: int, version: str, parts: Sequence[Sequence[int]]) -> None:
        """Hand out parts of tasks, in the order in which they shall be done."""
        named = {f"{_digest(version)}-{part[0]}-{len(part)}": json.dumps(list(part)) for part in parts if part}
        if not named:
            return
        key = _key(project_id, version)
        try:
            self._redis.hset(key, mapping=named)  # type: ignore[arg-type]
            self._redis.expire(key, _KEPT_SECONDS)
        except RedisError as error:
            raise unreachable(error) from error
        for name in named:
            self._queue.enqueue_chunk(project_id, version, name)

    def tasks(self, project_id: int, version: str, chunk: str) -> list[int]:
        """Return the tasks of a part; none if it is done."""
        try:
            found = self._redis.hget(_key(project_id, version), chunk)
        except RedisError as error:
            raise unreachable(error) from error
        return [] if found is None else [int(number) for number in json.loads(found)]

    @contextmanager
    def leased(self, project_id: int, chunk: str) -> Iterator[Callable[[], object] | None]:
        """Hold a part for this worker alone.

        Yields:
            A function to call after each task, which extends the lease; ``None`` if another worker holds it.
        """
        key = f"rescoring:lease:{project_id}:{chunk}"
        try:
            if not self._redis.set(key, 1, nx=True, ex=LEASE_SECONDS):
                yield None
                return
            try:
                yield partial(self._redis.expire, key, LEASE_SECONDS)
            finally:
                self._redis.delete(key)
        except RedisError as error:
            raise unreachable(error) from error

    def done(self, project_id: int, version: str, chunk: str) -> int:
        """Note that a part is done; return how many are left."""
        key = _key(project_id, version)
        try:
            self._redis.hdel(key, chunk)
            return int(self._redis.hlen(key))
        except RedisError as error:
            raise unreachable(error) from error

    def revive(self, project_id: int, version: str) -> int:
        """Hand out again the parts whose job or worker has gone; return how many parts are left."""
        try:
            names = [name.decode() for name in self._redis.hkeys(_key(project_id, version))]  # type: ignore[union-attr]
            for name in names:
                if not self._redis.exists(f"rescoring:lease:{project_id}:{name}") and not self._waits(project_id, name):
                    self._queue.enqueue_chunk(project_id, version, name)
        except RedisError as error:
            raise unreachable(error) from error
        return len(names)

    def _waits(self, project_id: int, name: str) -> bool:
        try:
            job = RegisteredJob.fetch(f"rescore-{project_id}-{name}", connection=self._redis)
        except NoSuchJobError:
            return False
        if job.get_status() in _WAITING:
            return True
        # Begun by a worker that was killed, or failed for good: its id is needed again.
        job.delete()
        return False


def _key(project_id: int, version: str) -> str:
    return f"rescoring:{project_id}:{_digest(version)}"


def _digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()[:12]
