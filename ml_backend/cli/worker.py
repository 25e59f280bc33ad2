"""The worker: ``python -m ml_backend.cli.worker [--queues sync,scoring]``.

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

from ml_backend import tasks
from ml_backend.container import build_sync_services, build_worker_services
from ml_backend.errors import BackendError
from ml_backend.jobs.queue import WORK, QueueError
from ml_backend.jobs.workers import build_worker
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.ops.using import use_data
from ml_backend.settings import Settings
from model.document.decode_budget import set_process_budget
from model.errors import ModelError

_log = get_logger(__name__)


def main(arguments: Sequence[str] = ()) -> int:
    """Load what the work needs, then work until told to stop; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml_backend.cli.worker", description="Does what waits in queues.")
    parser.add_argument("--queues", metavar="WORK", help="in place of WORKER_QUEUES: sync, scoring, or sync,scoring")
    chosen = parser.parse_args(arguments).queues
    try:
        settings = Settings() if chosen is None else Settings(worker_queues=chosen)
    except ValidationError as error:
        parser.error(
            "; ".join(f"{each['loc'][0] if each['loc'] else 'settings'}: {each['msg']}" for each in error.errors())
        )
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    set_process_budget(settings.decode_budget_megapixels)
    try:
        connection = Redis.from_url(settings.queue_url)
        connection.ping()
        use_data(settings, "worker")
        services = build_worker_services(settings) if "scoring" in settings.work else build_sync_services(settings)
    except (RedisError, ValueError) as error:
        unreachable = QueueError(f"Redis cannot be used ({type(error).__name__}).", "Start it, or set REDIS_URL.")
        _log.error("worker_not_started", error=str(unreachable))
        return 1
    except (BackendError, ModelError) as error:
        _log.error("worker_not_started", error=str(error))
        return 1
    tasks.provide(services.tasks)
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
