"""The queue between the web application and the worker: RQ on Redis."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from ml_backend.errors import BackendError

QUEUE_NAME = "scoring"
#: RQ's default is pickle, with which whoever may write to Redis may run any code in the worker.
SERIALIZER = JSONSerializer

#: Label Studio or an image host that is down for a while is worth waiting for; seconds between the tries.
RETRY_SECONDS = (10, 60, 300)
#: One page takes about a second, fetching up to FETCH_TIMEOUT_SECONDS each; RQ ends a job that takes longer.
JOB_TIMEOUT_SECONDS = 300
#: For as long a task that failed for good is not tried again: a failed job keeps its id until then.
FAILURE_TTL_SECONDS = 600

# A path and not the function: the web application has no need of what the job imports.
_SCORE_TASK = "ml_backend.jobs.scoring.score_task"


class QueueError(BackendError):
    """The job queue cannot be reached."""

    status = 503


class JobQueue:
    """Hands work to the worker; threads may share it. Nothing is sent before the first call.

    Args:
        connection: Redis.
    """

    def __init__(self, connection: Redis) -> None:
        self._queue = Queue(QUEUE_NAME, connection=connection, serializer=SERIALIZER)

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
            raise QueueError("REDIS_URL is no Redis address.", "Write redis://HOST:PORT/0.") from error
        return JobQueue(connection)

    def enqueue_scoring(self, project_id: int, task_ids: Sequence[int]) -> int:
        """Have tasks predicted and their predictions pushed, a job each; one that waits already is not added again.

        Args:
            project_id: Their project.
            task_ids: The tasks, in the order in which they shall be done.

        Returns:
            How many were added.

        Raises:
            QueueError: If Redis cannot be reached.
        """
        added = 0
        for task_id in task_ids:
            try:
                self._queue.enqueue_call(
                    _SCORE_TASK,
                    args=(project_id, task_id),
                    job_id=f"score-{project_id}-{task_id}",
                    unique=True,
                    timeout=JOB_TIMEOUT_SECONDS,
                    # Nothing reads the result, and a job that is kept would block the next one for its task.
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL_SECONDS,
                    retry=Retry(max=len(RETRY_SECONDS), interval=list(RETRY_SECONDS)),
                    description=f"score task {task_id} of project {project_id}",
                )
            except DuplicateJobError:
                continue
            except RedisError as error:
                raise QueueError(
                    f"The job queue cannot be reached ({type(error).__name__}).", "Start Redis, or set REDIS_URL."
                ) from error
            added += 1
        return added
