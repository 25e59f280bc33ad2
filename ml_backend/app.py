"""The web application."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue

from ml_backend.admin.views import add_panel
from ml_backend.api import learning
from ml_backend.api.auth import Credentials
from ml_backend.api.failures import register_error_handlers
from ml_backend.api.limits import MAX_REQUEST_BYTES
from ml_backend.api.protocol import create_blueprint
from ml_backend.api.services import Services
from ml_backend.api.trusted_hosts import TrustedHosts
from ml_backend.container import build_panel
from ml_backend.errors import RequestError
from ml_backend.observability.logs import get_logger
from ml_backend.settings import LOOPBACK_HOSTS, Settings
from ml_backend.store.patience import STORE_PATIENCE_SECONDS, wait_together

REQUEST_ID_HEADER = "X-Request-ID"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"protocol.health", "protocol.show_metrics"})

_log = get_logger(__name__)


def create_app(settings: Settings, services: Services) -> Flask:
    """Return the web application over services that are ready to use.

    Args:
        settings: Credentials and limits.
        services: What answers.
    """
    app = Flask("ml_backend", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    credentials = Credentials.of(settings)
    trusted_hosts = TrustedHosts(settings)
    if settings.host not in LOOPBACK_HOSTS and not credentials.webhook_secret:
        _log.warning("webhook_open_to_all", hint="Label Studio's webhooks carry no password: set WEBHOOK_SECRET.")

    @app.before_request
    def begin() -> None:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        g.start = time.perf_counter()
        wait_together(STORE_PATIENCE_SECONDS)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=g.request_id)

    @app.before_request
    def check_host() -> ResponseReturnValue | None:
        try:
            trusted_hosts.check(request)
        except RequestError as error:
            # Answered here: the panel's own pages of errors are not for other sites.
            _log.warning("host_refused", endpoint=request.endpoint or "unknown")
            return {"error": error.message, "hint": error.hint}, error.status
        return None

    @app.after_request
    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.start
        # Unknown paths are counted together, so that a scanner does not fill the memory with counters.
        endpoint = (request.endpoint or "unknown").removeprefix("protocol.")
        services.metrics.request_answered(endpoint, response.status_code, seconds)
        log = _log.debug if request.endpoint in _QUIET else _log.info
        log(
            "answered", method=request.method, path=request.path, status=response.status_code, seconds=round(seconds, 3)
        )
        response.headers[REQUEST_ID_HEADER] = g.request_id
        return response

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        # What the thread does next belongs to no request.
        wait_together(None)
        structlog.contextvars.clear_contextvars()

    register_error_handlers(app)
    app.register_blueprint(create_blueprint(services, credentials))
    if services.learning is not None:
        app.register_blueprint(learning.create_blueprint(services.learning, settings))
    token = settings.api_token.get_secret_value()
    panel = build_panel(settings, services.store) if token else None
    add_panel(app, panel, token=token, secure=settings.public_url.startswith("https://"), redis_url=settings.redis_url)
    return app
