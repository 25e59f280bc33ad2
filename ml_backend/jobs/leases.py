"""The parts of a project's open tasks that are to be predicted, in Redis: which are left, and who works on them.

Of each project only a few parts wait in the queue at a time, and a part is put there when another one of its project is
done. Parts of several projects therefore take turns, whatever their numbers of tasks; what is short goes first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import partial

from redis.exceptions import LockError, RedisError
from redis.lock import Lock
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from ml_backend.jobs.queue import JobQueue, unreachable
from ml_backend.jobs.registered import RegisteredJob
from ml_backend.observability.logs import get_logger

#: A part whose worker has given no sign of life for so long is given to another. Longer than one task may take.
LEASE_SECONDS = 60
_KEPT_SECONDS = 7 * 24 * 3600
#: So many tasks, if they are all that is left of a project, go before the parts of others.
SHORT = 10
#: A job whose worker has just taken it need not have its lease yet.
_TAKEN_SECONDS = 10

_log = get_logger(__name__)

_WAITING = (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DEFERRED, JobStatus.CREATED)


class Chunks:
    """Hands out parts; processes may share it.

    Every method raises :class:`ml_backend.jobs.queue.QueueError` if Redis cannot be reached.

    Args:
        queue: Where parts wait for a worker.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._redis = queue.connection

    def begin(self, project_id: int, version: str, parts: Sequence[Sequence[int]]) -> None:
        """Keep parts of tasks, in the order in which they shall be done, and hand out the first ones."""
        named = {
            _name(version, place, part): json.dumps(list(part)) for place, part in enumerate(parts, start=1) if part
        }
        if not named:
            return
        key = _key(project_id, version)
        try:
            self._redis.hset(key, mapping=named)  # type: ignore[arg-type]
            self._redis.expire(key, _KEPT_SECONDS)
        except RedisError as error:
            raise unreachable(error) from error
        self.feed(project_id, version)

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
        # With a token of this worker's: one that has been away for long neither extends nor ends another's lease.
        lease = Lock(self._redis, f"rescoring:lease:{project_id}:{chunk}", timeout=LEASE_SECONDS, thread_local=False)
        try:
            if not lease.acquire(blocking=False):
                yield None
                return
            try:
                yield partial(_extend, lease, project_id, chunk)
            finally:
                with suppress(LockError):
                    lease.release()
        except RedisError as error:
            raise unreachable(error) from error

    def done(self, project_id: int, version: str, chunk: str, left: Sequence[int] = ()) -> int:
        """Note that a part is done; return how many are left.

        Args:
            project_id: The project.
            version: The version that predicts.
            chunk: The part.
            left: Those of its tasks for which there was no time: they become a part that is handed out in its turn.
        """
        key = _key(project_id, version)
        try:
            with self._redis.pipeline(transaction=True) as both:
                both.hdel(key, chunk)
                if left:
                    # The same place with another name: the job of the old one is still about to end.
                    _, place, turn, *_ = chunk.split("-")
                    both.hset(key, _name(version, int(place), left, int(turn) + 1), json.dumps(list(left)))
                    both.expire(key, _KEPT_SECONDS)
                both.execute()
            return self.feed(project_id, version)
        except RedisError as error:
            raise unreachable(error) from error

    def drop(self, project_id: int, version: str) -> None:
        """Forget the parts of a version that no longer serves."""
        try:
            self._redis.delete(_key(project_id, version))
        except RedisError as error:
            raise unreachable(error) from error

    def feed(self, project_id: int, version: str) -> int:
        """Hand out parts until enough of the project wait or are worked on, also those whose job or worker has gone.

        Returns:
            How many parts are left, those included.
        """
        try:
            names = sorted(name.decode() for name in self._redis.hkeys(_key(project_id, version)))  # type: ignore[union-attr]
            at_once = self._queue.rescoring_workers() + 1 if names else 0
            short = len(names) == 1 and int(names[0].rpartition("-")[2]) <= SHORT
            for name in names[:at_once]:
                if not self._redis.exists(f"rescoring:lease:{project_id}:{name}") and not self._waits(project_id, name):
                    self._queue.enqueue_chunk(project_id, version, name, first=short)
        except RedisError as error:
            raise unreachable(error) from error
        return len(names)

    def begun(self, project_id: int, task_id: int) -> int:
        """Note that a task is begun; return how often that was so without an end, this time included.

        More than once means that a worker was killed meanwhile, perhaps by this very task.
        """
        key = f"rescoring:begun:{project_id}"
        try:
            count = int(self._redis.hincrby(key, str(task_id), 1))
            self._redis.expire(key, _KEPT_SECONDS)
        except RedisError as error:
            raise unreachable(error) from error
        return count

    def ended(self, project_id: int, task_id: int) -> None:
        """Note that a task did its worker no harm."""
        try:
            self._redis.hdel(f"rescoring:begun:{project_id}", str(task_id))
        except RedisError as error:
            raise unreachable(error) from error

    def condemned(self, project_id: int, task_id: int) -> None:
        """Note that a task is left alone for a while; the next try of it has one worker less to spare."""
        try:
            self._redis.hset(f"rescoring:begun:{project_id}", str(task_id), 1)
        except RedisError as error:
            raise unreachable(error) from error

    def _waits(self, project_id: int, name: str) -> bool:
        try:
            job = RegisteredJob.fetch(f"rescore-{project_id}-{name}", connection=self._redis)
        except NoSuchJobError:
            return False
        status = job.get_status()
        if status in _WAITING:
            return True
        if status == JobStatus.STARTED and job.started_at is not None:
            taken = job.started_at.replace(tzinfo=job.started_at.tzinfo or timezone.utc)
            if (datetime.now(timezone.utc) - taken).total_seconds() < _TAKEN_SECONDS:
                return True
        # Begun by a worker that was killed, or failed for good: its id is needed again.
        job.delete()
        return False


def _extend(lease: Lock, project_id: int, chunk: str) -> bool:
    """Extend a lease; return whether it is still this worker's."""
    try:
        lease.reacquire()
    except LockError:
        _log.warning("lease_lost", project=project_id, part=chunk)
        return False
    return True


def _key(project_id: int, version: str) -> str:
    return f"rescoring:{project_id}:{_digest(version)}"


def _name(version: str, place: int, part: Sequence[int], turn: int = 1) -> str:
    """Return the name of a part: names sort in the order in which parts are done, and end with the number of tasks."""
    return f"{_digest(version)}-{place:06}-{turn:03}-{part[0]}-{len(part)}"


def _digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()[:12]
