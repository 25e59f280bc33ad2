"""The only jobs that a worker performs: functions named here, with arguments of the types named here.

RQ imports and calls the function that a job in Redis names, and its callbacks; it opens the URLs of its webhooks. Here
a job is compared with :data:`REGISTERED` before anything is imported. Callbacks, webhooks, dependencies, groups, rate
limits, repetitions and results are not even read, since none of our jobs has any.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger

QUEUE_NAME = "scoring"
SYNC_QUEUE = "sync"
RESCORING_QUEUE = "rescoring"
TRAINING_QUEUE = "training"

#: RQ's default is pickle, which runs code while it loads.
SERIALIZER = JSONSerializer

#: No job of ours takes a tenth of that; more is not parsed.
MAX_JOB_BYTES = 16_384
#: Above what any queue grants: a run of training may take a day.
MAX_TIMEOUT_SECONDS = 24 * 3600
#: More tries than any job of ours has.
MAX_TRIES = 10
#: How long a refused job stays among the failed ones.
REFUSED_TTL_SECONDS = 600

# Identifiers in PostgreSQL have 63 bits.
_MAX_NUMBER = 2**63 - 1
# Versions, parts of a rescoring, keys of the panel's actions; the store cuts versions at 200 characters.
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
# What RQ needs to know of a job of ours; what it imports, calls, opens or joins is not among it.
_READ = frozenset(
    {
        "created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "origin", "worker_name", "description",
        "timeout", "result_ttl", "failure_ttl", "ttl", "status", "meta", "number_of_retries", "retries_left",
        "retry_intervals",
    }
)  # fmt: skip
# What RQ's parsing raises over a hash that somebody else wrote.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    RecursionError,
    zlib.error,
    ResponseError,
)
_LOGGED_CHARACTERS = 120
_SCHEDULED_AT_ONCE = 1000

_log = get_logger(__name__)


class RefusedJobError(BackendError):
    """A job that is none of ours. It is not tried again."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A function that may be called, and how.

    Attributes:
        queue: The only queue from which it is taken.
        types: Types of its positional arguments: ``int`` for numbers from 0 to 2⁶³ - 1, ``str`` for one line of text.
        optional: How many of them, from the last, may be left out.
    """

    queue: str
    types: tuple[type[int] | type[str], ...] = ()
    optional: int = 0

    def admits(self, arguments: object) -> bool:
        """Return whether it may be called with these arguments."""
        if not isinstance(arguments, list | tuple):
            return False
        if not len(self.types) - self.optional <= len(arguments) <= len(self.types):
            return False
        return all(_is(kind, value) for kind, value in zip(self.types, arguments, strict=False))


def _is(kind: type[int] | type[str], value: object) -> bool:
    if kind is str:
        return isinstance(value, str) and _TEXT.fullmatch(value) is not None
    return type(value) is int and 0 <= value <= _MAX_NUMBER


#: Names as they stand in Redis. They are stable: a queue outlives an upgrade.
REGISTERED: Mapping[str, Registered] = {
    "ml_backend.tasks.score_task": Registered(QUEUE_NAME, (int, int, int), optional=1),
    "ml_backend.tasks.sync_project": Registered(SYNC_QUEUE, (int,)),
    "ml_backend.tasks.tidy": Registered(SYNC_QUEUE),
    "ml_backend.tasks.train": Registered(TRAINING_QUEUE, (int,)),
    "ml_backend.tasks.find_projects": Registered(RESCORING_QUEUE),
    "ml_backend.tasks.rescore_project": Registered(RESCORING_QUEUE, (int,)),
    "ml_backend.tasks.rescore_chunk": Registered(RESCORING_QUEUE, (int, str, str)),
    "ml_backend.tasks.finish_rescoring": Registered(RESCORING_QUEUE, (int, str)),
    "ml_backend.tasks.order_project": Registered(RESCORING_QUEUE, (int,)),
    "ml_backend.tasks.learn_project": Registered(QUEUE_NAME, (int,)),
    "ml_backend.tasks.rename_open_tasks": Registered(RESCORING_QUEUE, (int,)),
    "ml_backend.tasks.search_labels": Registered(RESCORING_QUEUE, (int, str)),
}

#: What version 0.1's queues call them, for one release.
RENAMED: Mapping[str, str] = {
    f"ml_backend.jobs.{module}.{name}": f"ml_backend.tasks.{name}"
    for module, names in {
        "scoring": ("score_task",),
        "sync": ("sync_project",),
        "tidying": ("tidy",),
        "training": ("train",),
        "rescoring": ("rescore_project", "rescore_chunk", "finish_rescoring", "order_project"),
        "label_errors": ("search_labels",),
    }.items()
    for name in names
}


class RegisteredJob(Job):  # type: ignore[misc]
    """A job out of Redis that performs a registered function or nothing."""

    #: What cannot be read of the job, if anything; such a job is refused.
    unreadable: str | None = None
    description: str | None
    meta: Any

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> RegisteredJob:
        """Read a job.

        Raises:
            NoSuchJobError: If there is none, if its name cannot be one, or if its key holds something else.
        """
        try:
            job = super().fetch(id, connection=connection, serializer=SERIALIZER)
        except (*_UNREADABLE, DeserializationError) as error:
            raise NoSuchJobError(f"No readable job: {str(id)[:_LOGGED_CHARACTERS]!r}") from error
        assert isinstance(job, RegisteredJob)
        return job

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None
    ) -> list[RegisteredJob | None]:
        """Read jobs; those that :meth:`fetch` does not find are ``None``."""
        found: list[RegisteredJob | None] = []
        for job_id in job_ids:
            try:
                found.append(cls.fetch(job_id, connection))
            except NoSuchJobError:
                found.append(None)
        return found

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Take over what a job of ours consists of; :attr:`unreadable` says what could not be read.

        Raises:
            NoSuchJobError: If the entry holds no job at all.
        """
        fields = {key.decode("utf-8", "replace"): value for key, value in raw_data.items()}
        if "data" not in fields:
            raise NoSuchJobError("A job without data.")
        data, self.unreadable = _inflated(fields["data"])
        kept = {key.encode(): value for key, value in fields.items() if key in _READ}
        try:
            super().restore(kept | {b"data": data})
            if self.unreadable is None:
                self._check_limits()
        except _UNREADABLE as error:
            self.unreadable = f"its entry cannot be read ({type(error).__name__})"
            super().restore({b"data": b"null", b"status": b"queued"})
        if self.description is not None:
            self.description = "".join(c if c.isprintable() else "?" for c in self.description[:_LOGGED_CHARACTERS])
        if not isinstance(self.meta, dict):
            self.meta = {}

    def refusal(self, queue: str | None = None) -> str | None:
        """Return why the job is not performed; ``None`` if it is. Nothing is imported for that.

        Args:
            queue: Where it was found; ``None`` if that does not matter.
        """
        if self.unreadable is not None:
            return self.unreadable
        try:
            name, instance, arguments, named = self.func_name, self.instance, self.args, self.kwargs
        except (DeserializationError, RecursionError):
            return "its data are no job in JSON"
        registered = REGISTERED.get(RENAMED.get(name, name)) if isinstance(name, str) else None
        if registered is None:
            return f"{str(name)[:_LOGGED_CHARACTERS]!r} is no registered function"
        if instance is not None or named != {} or not registered.admits(arguments):
            return f"{name} takes other arguments"
        if queue is not None and queue != registered.queue:
            return f"{name} does not belong into the queue {queue[:_LOGGED_CHARACTERS]!r}"
        return None

    def discard(self, queue: str) -> None:
        """Remove the job, whatever it says of itself, so that another may have its name."""
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(Queue(queue, connection=self.connection).key, 0, self.id)
            pipeline.delete(self.key, self.dependents_key, self.dependencies_key)
            pipeline.execute()

    def perform(self) -> Any:
        """Call the registered function.

        Raises:
            RefusedJobError: If there is none for this job.
        """
        self._refuse()
        return super().perform()

    @property
    def func(self) -> Callable[..., Any]:
        """The registered function.

        Raises:
            RefusedJobError: If there is none for this job.
        """
        self._refuse()
        module, _, name = RENAMED.get(str(self.func_name), str(self.func_name)).rpartition(".")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    @property
    def success_callback(self) -> None:
        """None: whatever Redis says is not called."""

    @property
    def failure_callback(self) -> None:
        """None: whatever Redis says is not called."""

    @property
    def stopped_callback(self) -> None:
        """None: whatever Redis says is not called."""

    def send_webhooks(self, *_arguments: Any, **_named: Any) -> None:
        """Do nothing: whatever Redis says is not opened."""

    def _refuse(self) -> None:
        reason = self.refusal()
        if reason is not None:
            raise RefusedJobError(f"Refused: {reason}.")

    def _check_limits(self) -> None:
        if self.timeout is not None and not 0 < self.timeout <= MAX_TIMEOUT_SECONDS:
            self.unreadable = "it may take longer than any job of ours"
        intervals = self.retry_intervals if self.retry_intervals is not None else []
        numbers = intervals if isinstance(intervals, list) else [intervals]
        if (self.retries_left or 0) > MAX_TRIES or not all(_is(int, number) for number in numbers):
            self.unreadable = "it asks for more tries than any job of ours"


def _inflated(data: bytes) -> tuple[bytes, str | None]:
    """Return a job's data as they were before RQ compressed them, and what is wrong with them."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data[: MAX_JOB_BYTES + 1], MAX_JOB_BYTES + 1)
    except zlib.error:
        plain = data
    if len(data) > MAX_JOB_BYTES or len(plain) > MAX_JOB_BYTES:
        return b"null", "its data are larger than those of any job of ours"
    return plain, None


def registered_queue(name: str, connection: Redis) -> Queue:
    """Return a queue whose jobs are registered ones or are refused."""
    return Queue(name, connection=connection, serializer=SERIALIZER, job_class=RegisteredJob)


class RegisteredScheduler(RQScheduler):  # type: ignore[misc]
    """RQ's scheduler, for registered jobs: one that cannot be read does not keep the others from their queues."""

    def enqueue_scheduled_jobs(self) -> None:
        """Put the jobs whose time has come into their queues."""
        if not self._scheduled_job_registries and self._acquired_locks:
            self.prepare_registries()
        for registry in self._scheduled_job_registries:
            queue = registered_queue(registry.name, self.connection)
            for entry in self.connection.zrangebyscore(registry.key, 0, time.time(), start=0, num=_SCHEDULED_AT_ONCE):
                job_id = _name(entry)
                try:
                    job = RegisteredJob.fetch(job_id, connection=self.connection)
                except NoSuchJobError:
                    self.connection.zrem(registry.key, entry)
                    continue
                with self.connection.pipeline() as pipeline:
                    queue._enqueue_job(job, pipeline=pipeline)
                    pipeline.zrem(registry.key, entry)
                    pipeline.execute()


def _name(entry: bytes | str) -> str:
    return entry if isinstance(entry, str) else entry.decode("utf-8", "replace")


class RegisteredOnly:
    """What workers of every kind do with a job before they perform it."""

    connection: Redis

    def refused(self, job: Job, queue: Queue) -> bool:
        """Move a job that is none of ours to the failed ones; return whether it was one."""
        assert isinstance(job, RegisteredJob)
        reason = job.refusal(queue.name)
        if reason is None:
            return False
        _log.error("job_refused", job=job.id, queue=queue.name, reason=reason)
        job.origin = queue.name
        job.retries_left = 0
        job.failure_ttl = REFUSED_TTL_SECONDS
        self.handle_job_failure(job, queue, exc_string=f"Refused: {reason}.")  # type: ignore[attr-defined]
        return True

    def dequeue_job_and_maintain_ttl(self, *arguments: Any, **named: Any) -> Any:
        """Wait for a job; entries of a queue that are none are passed over."""
        for _ in range(1000):
            try:
                return super().dequeue_job_and_maintain_ttl(*arguments, **named)  # type: ignore[misc]
            except UnicodeDecodeError as error:
                # The entry is out of the queue already.
                _log.error("queue_entry_unreadable", reason=str(error)[:_LOGGED_CHARACTERS])
        raise RefusedJobError("A thousand entries of the queue in a row are no jobs.")

    def clean_registries(self) -> None:
        """Do RQ's housekeeping; an entry that nobody can read does not end the worker."""
        try:
            super().clean_registries()  # type: ignore[misc]
        except _UNREADABLE as error:
            _log.error("queue_not_cleaned", error=type(error).__name__)

    def clean_group_registries(self) -> None:
        """Do nothing: none of our jobs has a group."""

    def subscribe(self) -> None:
        """Listen to no commands: none is sent by us, and RQ's "stop this job" would kill this very process."""
