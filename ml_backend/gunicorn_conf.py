"""gunicorn's configuration, out of the settings: ``gunicorn -c python:ml_backend.gunicorn_conf``."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from typing import Any

from ml_backend.errors import BackendError
from ml_backend.observability.logs import logging_config
from ml_backend.ops.using import use_data
from ml_backend.settings import Settings

_settings = Settings()

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
workers = _settings.web_workers
# Threads: predictions take turns at the models, and a webhook or a /health must find a thread free while they wait.
# A request gets its thread when all of it has come: silent and slow clients hold none.
worker_class = "ml_backend.api.buffering_worker.BufferingWorker"
threads = _settings.web_threads
# Each is a file descriptor, of which a process has 1,024 by default; models and temporary files need some too.
worker_connections = 512
# An answer is sent by the worker's loop where a client does not take it at once.
sendfile = False
# Each process loads its own models after the fork: ONNX Runtime's and torch's threads do not survive one.
preload_app = False
# Label Studio waits 100 s for a prediction. With threads this limit is for a process that hangs as a whole, and for
# its start, in which the models are loaded.
timeout = 180
graceful_timeout = 30
keepalive = 5
# Label Studio may be a proxy's neighbour: header and line limits stay at gunicorn's defaults.
control_socket_disable = True
proc_name = "ml-backend"
loglevel = _settings.log_level.lower()
# Requests are logged by the application, with what they were about.
accesslog = None
logconfig_dict = logging_config(_settings.log_level, _settings.log_format, _settings.secrets)

if _settings.shared_metrics_dir is not None:
    # Read by prometheus_client when a process imports it, which happens after the fork.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_settings.shared_metrics_dir)


def on_starting(server: Any) -> None:
    """Use the data for as long as any process of the server lives; forget the counts of an earlier run."""
    try:
        use_data(_settings, "api")
    except BackendError as error:
        server.log.error(str(error))
        sys.exit(1)
    if _settings.shared_metrics_dir is not None:
        shutil.rmtree(_settings.shared_metrics_dir, ignore_errors=True)
        _settings.shared_metrics_dir.mkdir(parents=True)


def worker_exit(server: Any, worker: Any) -> None:
    """End a process that has served at once: to take torch apart takes seconds, in which Ctrl-C would seem to fail."""
    # gunicorn also calls this where a process could not start, whose exit status must reach it, and in the master.
    if worker.booted and worker.pid == os.getpid():
        logging.shutdown()
        os._exit(0)


def child_exit(server: Any, worker: Any) -> None:
    """Take a process that has ended out of the gauges."""
    if _settings.shared_metrics_dir is not None:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
