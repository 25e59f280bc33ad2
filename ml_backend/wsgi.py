"""What gunicorn serves: ``python -m gunicorn -c python:ml_backend.gunicorn_conf "ml_backend.wsgi:build()"``."""

from __future__ import annotations

import sys

from flask import Flask
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from ml_backend.app import create_app
from ml_backend.container import build_services
from ml_backend.errors import BackendError
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.ops.using import use_data
from ml_backend.settings import Settings
from model.document.decode_budget import set_process_budget
from model.errors import ModelError

_log = get_logger(__name__)


def build() -> Flask:
    """Return the application over the settings of the environment, models loaded and warm.

    gunicorn calls this in each of its processes, after they have forked (a model must not be carried over a fork) and
    before they take their first request. Until then requests wait in the socket's backlog; those that must know ask
    ``/health`` until it answers.
    """
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    set_process_budget(settings.decode_budget_megapixels)
    try:
        use_data(settings, "api")
        services = build_services(settings)
    except (BackendError, ModelError) as error:
        _log.error("backend_not_started", error=str(error))
        # With any other status gunicorn would start the process again, and again.
        sys.exit(Arbiter.WORKER_BOOT_ERROR)
    app = create_app(settings, services)
    _log.info("backend_ready", model_version=services.predictions.model_version())
    return app
