"""The trainer: ``python -m ml_backend.jobs.trainer``.

Every run has a process of its own, forked from this one: what it takes of memory is given back, and what kills it
leaves the trainer alive. Threads do not survive a fork, so this module imports nothing that starts any.
"""

from __future__ import annotations

import os
import subprocess
import sys

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker

from ml_backend.jobs.queue import QueueError
from ml_backend.jobs.registered import SERIALIZER, TRAINING_QUEUE, registered_queue
from ml_backend.jobs.traced import TracedWorker
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.settings import Settings

#: How far a run stands back for whatever else wants the processor; 19 would be the most.
NICENESS = 10

_log = get_logger(__name__)


def build_trainer(connection: Redis) -> Worker:
    """Return a worker that forks for each run.

    Args:
        connection: Redis; without a limit on waiting, since the trainer waits for runs.
    """
    queue = registered_queue(TRAINING_QUEUE, connection)
    return TracedWorker([queue], connection=connection, serializer=SERIALIZER)


def main() -> int:
    """Work until told to stop; return the exit status."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    try:
        connection = Redis.from_url(settings.queue_url)
        connection.ping()
    except (RedisError, ValueError) as error:
        unreachable = QueueError(f"Redis cannot be used ({type(error).__name__}).", "Start it, or set REDIS_URL.")
        _log.error("trainer_not_started", error=str(unreachable))
        return 1
    if settings.training_device == "cuda" and not _has_gpu():
        _log.error(
            "trainer_not_started",
            error="TRAINING_DEVICE=cuda, but torch finds no GPU: unset it, or install "
            "drivers and a CUDA build of torch.",
        )
        return 1
    # Webhooks and predictions go first: beside a run of ordinary rank one event in a hundred waits half a second.
    os.nice(NICENESS)
    _log.info("trainer_ready", queue=TRAINING_QUEUE)
    build_trainer(connection).work(logging_level=settings.log_level)
    return 0


def _has_gpu() -> bool:
    # In another process: torch starts threads, and a GPU that was looked at does not survive a fork.
    look = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run((sys.executable, "-c", look), check=False).returncode == 0  # noqa: S603 - our own words


if __name__ == "__main__":
    sys.exit(main())
