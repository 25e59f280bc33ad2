"""What gunicorn serves: ``python -m gunicorn -c python:ml_backend.gunicorn_conf "ml_backend.wsgi:build()"``."""

from __future__ import annotations

from flask import Flask

from ml_backend.app import create_app
from ml_backend.assembly import build_services
from ml_backend.logs import configure_logging
from ml_backend.settings import Settings


def build() -> Flask:
    """Return the application over the settings of the environment, models loaded and warm.

    gunicorn calls this in each of its processes, after they have forked (a model must not be carried over a fork) and
    before they take their first request. Until then requests wait in the socket's backlog; whoever must know asks
    ``/health`` until it answers.
    """
    settings = Settings()
    configure_logging(settings.log_level, settings.log_format)
    return create_app(settings, build_services(settings))
