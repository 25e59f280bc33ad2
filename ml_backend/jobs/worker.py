"""The worker: ``python -m ml_backend.jobs.worker``."""

from __future__ import annotations

import logging
import os
import sys

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker

from ml_backend.assembly import build_worker_services
from ml_backend.errors import BackendError
from ml_backend.jobs import rescoring, scoring, sync, tidying
from ml_backend.jobs.queue import SERIALIZER, WORKER_QUEUES, QueueError
from ml_backend.jobs.traced import TracedSimpleWorker
from ml_backend.logs import configure_logging, get_logger
from ml_backend.settings import Settings
from model.errors import ModelError

_log = get_logger(__name__)


def build_worker(connection: Redis) -> SimpleWorker:
    """Return a worker that runs jobs in this very process.

    RQ's usual worker forks for every job. ONNX Runtime's and torch's threads do not survive a fork, so each job would
    have to load the models again; here they are loaded once. RQ's scheduler, which brings back jobs to be tried again,
    is a fork too, but never touches a model.

    Args:
        connection: Redis; without a limit on waiting, since the worker waits for jobs.
    """
    queues = [Queue(name, connection=connection, serializer=SERIALIZER) for name in WORKER_QUEUES]
    return TracedSimpleWorker(queues, connection=connection, serializer=SERIALIZER)


def main() -> int:
    """Load the models, then work until told to stop; return the exit status."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    try:
        connection = Redis.from_url(settings.queue_url)
        connection.ping()
        services = build_worker_services(settings)
    except (RedisError, ValueError) as error:
        unreachable = QueueError(f"Redis cannot be used ({type(error).__name__}).", "Start it, or set REDIS_URL.")
        _log.error("worker_not_started", error=str(unreachable))
        return 1
    except (BackendError, ModelError) as error:
        _log.error("worker_not_started", error=str(error))
        return 1
    scoring.provide(services.scoring)
    rescoring.provide(services.rescorer)
    sync.provide(services.synchroniser, services.absorb)
    tidying.provide(services.tidier)
    if settings.metrics_port:
        try:
            services.metrics.serve(settings.host, settings.metrics_port)
        except OSError as error:
            # Of several workers on a machine one has the port; the work is the same.
            _log.warning("metrics_not_shown", port=settings.metrics_port, error=error.strerror)
    services.ticker.start()
    _log.info("worker_ready", queues=WORKER_QUEUES)
    build_worker(connection).work(with_scheduler=True, logging_level=settings.log_level)
    return 0


if __name__ == "__main__":
    status = main()
    # Nothing is left to do, but to take torch apart would take seconds, in which Ctrl-C would seem to fail.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)
