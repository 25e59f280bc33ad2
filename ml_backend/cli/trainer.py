"""The trainer: ``python -m ml_backend.cli.trainer``.

Every run has a process of its own, forked from this one: what it takes of memory is given back, and what kills it
leaves the trainer alive. Threads do not survive a fork, so this module imports nothing that starts any.
"""

from __future__ import annotations

import os
import subprocess
import sys

from redis import Redis
from redis.exceptions import RedisError

from ml_backend.errors import BackendError
from ml_backend.jobs.queue import QueueError
from ml_backend.jobs.registered import TRAINING_QUEUE
from ml_backend.jobs.workers import build_trainer
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.ops.using import use_data
from ml_backend.settings import Settings
from model.document.decode_budget import set_process_budget

#: How far a run stands back for whatever else wants the processor; 19 would be the most.
NICENESS = 10

_log = get_logger(__name__)


def main() -> int:
    """Work until told to stop; return the exit status."""
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    set_process_budget(settings.decode_budget_megapixels)
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
    try:
        # A run is forked from this process, and uses the data even if this one is killed.
        use_data(settings, "trainer")
    except BackendError as error:
        _log.error("trainer_not_started", error=str(error))
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
