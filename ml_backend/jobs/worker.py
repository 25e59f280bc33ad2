"""The worker: ``python -m ml_backend.jobs.worker [--queues sync,scoring]``.

Any number of them work on any number of machines. One that does no scoring loads no models.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from ml_backend.container import build_sync_services, build_worker_services
from ml_backend.errors import BackendError
from ml_backend.jobs import label_errors, rescoring, scoring, sync, tidying
from ml_backend.jobs.lively_worker import LivelyWorker
from ml_backend.jobs.queue import WORK, WORKER_QUEUES, QueueError
from ml_backend.jobs.registered import SERIALIZER, registered_queue
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.settings import Settings
from model.errors import ModelError

_log = get_logger(__name__)


def build_worker(connection: Redis, queues: Sequence[str] = WORKER_QUEUES) -> LivelyWorker:
    """Return a worker that runs jobs in this very process.

    RQ's usual worker forks for every job. ONNX Runtime's and torch's threads do not survive a fork, so each job would
    have to load the models again; here they are loaded once. Jobs to be tried again are brought back by the ticker.

    Args:
        connection: Redis; without a limit on waiting, since the worker waits for jobs.
        queues: What it looks into, the most urgent first.
    """
    found = [registered_queue(name, connection) for name in queues]
    return LivelyWorker(found, connection=connection, serializer=SERIALIZER)


def main(arguments: Sequence[str] = ()) -> int:
    """Load what the work needs, then work until told to stop; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml_backend.jobs.worker", description="Does what waits in queues.")
    parser.add_argument("--queues", metavar="WORK", help="in place of WORKER_QUEUES: sync, scoring, or sync,scoring")
    chosen = parser.parse_args(arguments).queues
    try:
        settings = Settings() if chosen is None else Settings(worker_queues=chosen)
    except ValidationError as error:
        parser.error(
            "; ".join(f"{each['loc'][0] if each['loc'] else 'settings'}: {each['msg']}" for each in error.errors())
        )
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    try:
        connection = Redis.from_url(settings.queue_url)
        connection.ping()
        services = build_worker_services(settings) if "scoring" in settings.work else build_sync_services(settings)
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
    label_errors.provide(services.label_search)
    tidying.provide(services.tidier)
    if settings.metrics_port:
        try:
            services.metrics.serve(settings.host, settings.metrics_port)
        except OSError as error:
            # Of several workers on a machine one has the port; the work is the same.
            _log.warning("metrics_not_shown", port=settings.metrics_port, error=error.strerror)
    services.ticker.start()
    queues = [name for kind in settings.work for name in WORK[kind]]
    _log.info("worker_ready", queues=queues)
    build_worker(connection, queues).work(logging_level=settings.log_level)
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    # Nothing is left to do, but to take torch apart would take seconds, in which Ctrl-C would seem to fail.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)
