"""The queue between the web application and the workers: RQ on Redis.

What waits here are hints: all of it can be lost, and the ticker brings it back from the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from rq import Retry, Worker
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job, JobStatus
from structlog.contextvars import get_contextvars

from ml_backend.errors import BackendError
from ml_backend.i18n import say
from ml_backend.jobs.registered import (
    QUEUE_NAME,
    RESCORING_QUEUE,
    SERIALIZER,
    SYNC_QUEUE,
    TRAINING_QUEUE,
    RegisteredJob,
    RegisteredScheduler,
    registered_queue,
)

#: The queues of each kind of work, the most urgent first. Only scoring needs models.
WORK = {"sync": (SYNC_QUEUE,), "scoring": (QUEUE_NAME, RESCORING_QUEUE)}
#: What a worker looks into that does all of it.
WORKER_QUEUES = tuple(name for names in WORK.values() for name in names)

#: Label Studio or an image host that is down for a while is worth waiting for; seconds between the tries.
RETRY_SECONDS = (10, 60, 300)
#: One page takes about a second, fetching up to FETCH_TIMEOUT_SECONDS each; RQ ends a job that takes longer.
JOB_TIMEOUT_SECONDS = 300
#: Bringing over a hundred thousand annotations takes an hour, the first time.
SYNC_TIMEOUT_SECONDS = 4 * 3600
TRAINING_TIMEOUT_SECONDS = 24 * 3600
#: Hundreds of documents, some of which may have to be read first.
SEARCH_TIMEOUT_SECONDS = 3600
#: For as long a task that failed for good is not tried again: a failed job keeps its id until then.
FAILURE_TTL_SECONDS = 600
#: A job that is said to wait, and is found in no queue for so long, went down with the worker that had just taken it.
_LOST_SECONDS = 30
#: So often, at most, all workers together look for jobs whose worker has died, or whose time has come.
_RECOVERY_SECONDS = 5
#: The ticker asks again for what the store says is due: no need to remember long that it failed.
_ASKED_AGAIN_TTL_SECONDS = 10

# Paths and not functions: the web application has no need of what the jobs import.
_SCORE_TASK = "ml_backend.tasks.score_task"
_SYNC = "ml_backend.tasks.sync_project"
_TRAIN = "ml_backend.tasks.train"
_RESCORE = "ml_backend.tasks.rescore_project"
_RESCORE_CHUNK = "ml_backend.tasks.rescore_chunk"
_FIND_PROJECTS = "ml_backend.tasks.find_projects"
_ORDER = "ml_backend.tasks.order_project"
_TIDY = "ml_backend.tasks.tidy"
_FINISH_RESCORING = "ml_backend.tasks.finish_rescoring"
_SEARCH_LABELS = "ml_backend.tasks.search_labels"
_LEARN = "ml_backend.tasks.learn_project"
_RENAME = "ml_backend.tasks.rename_open_tasks"


class QueueError(BackendError):
    """The job queue cannot be reached."""

    status = 503


class JobQueue:
    """Hands work to the workers; threads may share it. Nothing is sent before the first call.

    Every method raises :class:`QueueError` if Redis cannot be reached. Job ids name what is to be done, so that a job
    that waits or runs already is not added again.

    Args:
        connection: Redis.
    """

    def __init__(self, connection: Redis) -> None:
        self.connection = connection
        names = (*WORKER_QUEUES, TRAINING_QUEUE)
        self._queues = {name: registered_queue(name, connection) for name in names}

    def recover(self) -> None:
        """Free the jobs of workers that died: those that may be tried again are, the others may be added again.

        What RQ's scheduler would put into queues is put there: no process of its own is needed for that.
        """
        try:
            if not self.connection.set("recovery", 1, nx=True, ex=_RECOVERY_SECONDS):
                return
            for queue in self._queues.values():
                queue.started_job_registry.cleanup()
            scheduler = RegisteredScheduler(self._queues.values(), connection=self.connection, serializer=SERIALIZER)
            if scheduler.acquire_locks():
                scheduler.enqueue_scheduled_jobs()
                scheduler.release_locks()
        except RedisError as error:
            raise unreachable(error) from error

    def answer_begun(self, task_ids: Sequence[int], seconds: float) -> None:
        """Note for ``seconds`` from now that Label Studio is being sent predictions of these tasks in an answer."""
        try:
            with self.connection.pipeline(transaction=False) as notes:
                for number in task_ids:
                    notes.set(f"answer:{number}", 1, px=max(1, int(1000 * seconds)))
                notes.execute()
        except RedisError as error:
            raise unreachable(error) from error

    def being_answered(self, task_ids: Sequence[int]) -> set[int]:
        """Return those of these tasks whose predictions are under way to Label Studio in an answer."""
        if not task_ids:
            return set()
        try:
            found = self.connection.mget([f"answer:{number}" for number in task_ids])
        except RedisError as error:
            raise unreachable(error) from error
        return {number for number, note in zip(task_ids, found, strict=True) if note is not None}

    @staticmethod
    def at(url: str) -> JobQueue:
        """Return the queue in the Redis at ``url``.

        A Redis that is down must not delay an answer: it is given a moment, and no second try.

        Raises:
            QueueError: If ``url`` is no Redis address.
        """
        try:
            connection = Redis.from_url(
                url, socket_connect_timeout=1.0, socket_timeout=2.0, retry=RedisRetry(NoBackoff(), 0)
            )
        except ValueError as error:
            raise QueueError(say("REDIS_URL is no Redis address."), say("Write redis://HOST:PORT/0.")) from error
        return JobQueue(connection)

    def enqueue_scoring(self, project_id: int, task_ids: Sequence[int]) -> int:
        """Have tasks predicted and their predictions pushed, a job each.

        Args:
            project_id: Their project.
            task_ids: The tasks, in the order in which they shall be done.

        Returns:
            How many were added.
        """
        return sum(
            self._add(
                QUEUE_NAME,
                _SCORE_TASK,
                (project_id, task_id),
                f"score-{project_id}-{task_id}",
                f"score task {task_id} of project {project_id}",
                retry=True,
                failure_ttl=FAILURE_TTL_SECONDS,
            )
            for task_id in task_ids
        )

    def enqueue_rest(self, project_id: int, task_id: int, done: int) -> bool:
        """Have a long task gone on with of which ``done`` pages were read; return whether that was added."""
        return self._add(
            QUEUE_NAME,
            _SCORE_TASK,
            (project_id, task_id, done),
            f"score-{project_id}-{task_id}-{done}",
            f"score task {task_id} of project {project_id} from page {done + 1} on",
            # What was read before takes a moment a page.
            timeout=JOB_TIMEOUT_SECONDS + done,
            retry=True,
            failure_ttl=FAILURE_TTL_SECONDS,
        )

    def enqueue_sync(self, project_id: int) -> bool:
        """Have a project's annotations brought over; return whether that was added."""
        name, what = f"sync-{project_id}", f"sync project {project_id}"
        return self._add(SYNC_QUEUE, _SYNC, (project_id,), name, what, timeout=SYNC_TIMEOUT_SECONDS)

    def enqueue_training(self, run_id: int) -> bool:
        """Have a run that is due done; return whether that was added."""
        name, what = f"train-{run_id}", f"training run {run_id}"
        return self._add(TRAINING_QUEUE, _TRAIN, (run_id,), name, what, timeout=TRAINING_TIMEOUT_SECONDS)

    def enqueue_rescoring(self, project_id: int) -> bool:
        """Have it seen to that a project's open tasks are predicted; return whether that was added.

        To look takes a moment, so that it need not wait behind the parts of other projects.
        """
        name, what = f"rescore-{project_id}", f"look at the open tasks of project {project_id}"
        return self._add(RESCORING_QUEUE, _RESCORE, (project_id,), name, what, first=True)

    def enqueue_chunk(self, project_id: int, version: str, chunk: str, *, first: bool = False) -> bool:
        """Have a part of a project's open tasks predicted; return whether that was added.

        Args:
            project_id: The project.
            version: The version that predicts.
            chunk: The part.
            first: Whether it goes before the parts of other projects, since it is short.
        """
        name, what = f"rescore-{project_id}-{chunk}", f"predict part {chunk} of project {project_id}"
        job = (project_id, version, chunk)
        return self._add(RESCORING_QUEUE, _RESCORE_CHUNK, job, name, what, retry=True, first=first)

    def rescoring_workers(self) -> int:
        """Return how many workers look into the queue of parts."""
        try:
            return int(Worker.count(queue=self._queues[RESCORING_QUEUE]))
        except RedisError as error:
            raise unreachable(error) from error

    def enqueue_finish(self, project_id: int, version: str) -> bool:
        """Have a rescoring ended whose parts are all done; return whether that was added."""
        name, what = f"rescored-{project_id}", f"end the rescoring of project {project_id}"
        return self._add(RESCORING_QUEUE, _FINISH_RESCORING, (project_id, version), name, what, retry=True)

    def enqueue_ordering(self, project_id: int) -> bool:
        """Have a project's open tasks put into order; return whether that was added."""
        return self._add(RESCORING_QUEUE, _ORDER, (project_id,), f"order-{project_id}", f"order project {project_id}")

    def enqueue_finding(self) -> bool:
        """Have Label Studio asked for projects that people have connected; return whether that was added."""
        name, what = "find-projects", "find connected projects"
        return self._add(RESCORING_QUEUE, _FIND_PROJECTS, (), name, what, first=True)

    def enqueue_learning(self, project_id: int) -> bool:
        """Have what a project's annotations show learned; return whether that was added.

        It goes before all else: the next annotator waits for it.
        """
        name, what = f"learn-{project_id}", f"learn from the annotations of project {project_id}"
        return self._add(QUEUE_NAME, _LEARN, (project_id,), name, what, first=True)

    def enqueue_renaming(self, project_id: int, *, left: int = 0) -> bool:
        """Have open tasks named again by what was learned; return whether that was added.

        Args:
            project_id: The project.
            left: How many tasks a job leaves to the next one, which waits its turn; 0 for a first one, which does not.
        """
        # A job that puts its own rest into the queue has its name until it ends.
        name, what = f"rename-{project_id}-{left}", f"name the open tasks of project {project_id} again"
        return self._add(RESCORING_QUEUE, _RENAME, (project_id,), name, what, first=not left)

    def enqueue_label_search(self, project_id: int, key: str) -> bool:
        """Have a project's annotated documents searched for wrong labels; return whether that was added.

        Args:
            project_id: The project.
            key: The panel's action that waits for it.
        """
        name, what = f"label-errors-{project_id}", f"search label errors of project {project_id}"
        return self._add(RESCORING_QUEUE, _SEARCH_LABELS, (project_id, key), name, what, timeout=SEARCH_TIMEOUT_SECONDS)

    def enqueue_tidying(self) -> bool:
        """Have removed what is no longer kept; return whether that was added."""
        return self._add(SYNC_QUEUE, _TIDY, (), "tidy", "remove what is no longer kept", timeout=SYNC_TIMEOUT_SECONDS)

    def _add(
        self,
        queue: str,
        function: str,
        arguments: tuple[object, ...],
        job_id: str,
        description: str,
        *,
        timeout: int = JOB_TIMEOUT_SECONDS,
        failure_ttl: int = _ASKED_AGAIN_TTL_SECONDS,
        retry: bool = False,
        first: bool = False,
    ) -> bool:
        def add() -> None:
            self._queues[queue].enqueue_call(
                function,
                args=arguments,
                job_id=job_id,
                at_front=first,
                unique=True,
                timeout=timeout,
                # Nothing reads the result, and a job that is kept would block its successor.
                result_ttl=0,
                failure_ttl=failure_ttl,
                retry=Retry(max=len(RETRY_SECONDS), interval=list(RETRY_SECONDS)) if retry else None,
                description=description,
                meta=_cause(),
            )

        try:
            try:
                add()
            except DuplicateJobError:
                if not self._forget_lost(queue, job_id):
                    return False
                add()
        except DuplicateJobError:
            return False
        except RedisError as error:
            raise unreachable(error) from error
        return True

    def _forget_lost(self, queue: str, job_id: str) -> bool:
        """Remove a job that says it waits, although a worker that was killed at once had taken it out of its queue."""
        try:
            job = RegisteredJob.fetch(job_id, connection=self.connection)
        except NoSuchJobError:
            # A sign of life that came after its end may have left its key.
            self.connection.delete(Job.key_for(job_id))
            return True
        if job.refusal(queue) is not None:
            # None of ours: it must not keep the real job of that name from its queue.
            job.discard(queue)
            return True
        waited = (datetime.now(timezone.utc) - job.enqueued_at).total_seconds() if job.enqueued_at else 0.0
        if waited < _LOST_SECONDS or job.get_status() != JobStatus.QUEUED:
            return False
        if self._queues[queue].get_job_position(job_id) is not None:
            return False
        job.delete()
        return True


def kind_of(job: Job) -> str:
    """Return what a registered job does, in one word: the name of its function."""
    return str(job.func_name).rpartition(".")[2]


def _cause() -> dict[str, str]:
    """Return which request asks for a job, so that the job's log lines name it too."""
    request = get_contextvars().get("request")
    return {"request": request} if isinstance(request, str) else {}


def unreachable(error: RedisError) -> QueueError:
    """Return the error that says what to do about Redis."""
    said = say("The job queue cannot be reached ({kind}).", kind=type(error).__name__)
    return QueueError(said, say("Start Redis, or set REDIS_URL."))
