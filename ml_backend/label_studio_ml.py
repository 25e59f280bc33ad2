"""The same backend under the label-studio-ml 2.x server: an adapter for those who run that one.

The server makes one object of a :class:`LabelStudioMLBase` a request. Ours hold nothing: all of a process share the
services of :mod:`ml_backend.container`, so that models, time budget, cache and store are those of our own server. A
webhook is written down and answered; the worker and the trainer, which run as ever, learn from it.

This module needs the extra ``label-studio-ml``, and nothing else imports it.

What that server does otherwise than ours: it hands over annotations that were made or changed and *Start training*, no
other event (deleted annotations and new tasks are found by the next sync), it answers ``/metrics`` with nothing, and it
answers an invalid request with a traceback.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.response import ModelResponse
from werkzeug.wrappers import Request

from ml_backend.api.auth import Credentials
from ml_backend.api.events import write_down
from ml_backend.api.schemas import parse_batch, parse_event, project_number
from ml_backend.api.services import Services
from ml_backend.api.trusted_hosts import TrustedHosts
from ml_backend.container import build_services
from ml_backend.errors import RequestError
from ml_backend.observability.logs import configure_logging, get_logger
from ml_backend.ops.using import use_data
from ml_backend.settings import Settings
from ml_backend.store.patience import STORE_PATIENCE_SECONDS, wait_together
from model.document.decode_budget import set_process_budget

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from flask import Flask

_log = get_logger(__name__)
_services: Services | None = None
_building = threading.Lock()


def provide(services: Services | None) -> None:
    """Set what the models of this process work with; without it the first one builds it from the settings."""
    global _services
    _services = services


class DocumentModel(LabelStudioMLBase):
    """Reads documents and names their fields with the services of this process."""

    def setup(self) -> None:
        """Say which version answers for the project; called with every request, so nothing is loaded here.

        Raises:
            BackendError: If this is the first request and the services cannot be built.
            ModelError: The same, for models that are missing or damaged.
        """
        version = _ready().predictions.model_version(project_number(self.project_id))
        # Each setting of a value is a write to that server's own database.
        if self.get("model_version") != version:
            self.set("model_version", version)

    def use_label_config(self, label_config: str) -> None:
        """Take a labelling configuration, also one that cannot be used.

        A project may be connected first and configured later: predictions are then empty, not refused.
        """
        try:
            super().use_label_config(label_config)
        except Exception as error:  # noqa: BLE001 - the SDK raises whatever its parsers do
            _log.warning("label_config_unusable", project=self.project_id, error=type(error).__name__)
            self.set("label_config", label_config)

    def predict(
        self, tasks: Sequence[Mapping[str, Any]], context: Mapping[str, Any] | None = None, **_: object
    ) -> ModelResponse:
        """Return one prediction a task, or an empty list where there is none, in order.

        Args:
            tasks: As Label Studio sends them.
            context: The regions just drawn, for interactive pre-annotation.

        Raises:
            RequestError: If the request is none that Label Studio sends.
        """
        batch = parse_batch(
            {
                "tasks": list(tasks),
                "project": self.project_id,
                "label_config": self.get("label_config"),
                "params": {"context": context or None},
            }
        )
        answers, version = _ready().predictions.predict(batch)
        return ModelResponse(model_version=version, predictions=answers)

    def fit(self, event: str, data: Mapping[str, Any], **_: object) -> dict[str, object]:
        """Write an event down and return; nothing is trained in here.

        Raises:
            RequestError: If the event is none that Label Studio sends.
            StoreError: If it cannot be written.
        """
        stored = write_down(_ready(), parse_event({**data, "action": event}))
        return {"event": stored.id, "duplicate": stored.duplicate_of is not None}


def build_app(settings: Settings) -> Flask:
    """Return the label-studio-ml server over this backend, models loaded, with the settings' credentials.

    Raises:
        BackendError: If the store cannot be opened, the token is refused, or REDIS_URL is no address.
        ModelError: If the models are missing or damaged.
    """
    from label_studio_ml.api import init_app

    configure_logging(settings.log_level, settings.log_format, settings.secrets)
    set_process_budget(settings.decode_budget_megapixels)
    # Before the first request: Label Studio gives /setup three seconds.
    use_data(settings, "api")
    provide(build_services(settings))
    credentials = Credentials.of(settings)
    app: Flask = init_app(
        DocumentModel, basic_auth_user=credentials.user or None, basic_auth_pass=credentials.password or None
    )
    app.wsgi_app = _guarded(app.wsgi_app, credentials, TrustedHosts(settings))  # type: ignore[method-assign, assignment]
    _log.info("backend_ready", server="label-studio-ml", model_version=_ready().predictions.model_version())
    return app


def _guarded(serve: WSGIApplication, credentials: Credentials, hosts: TrustedHosts) -> WSGIApplication:
    """Admit webhooks by their secret header, which is all that they carry, and by nothing less.

    That server demands Basic auth of every request or of none: a webhook with the secret is handed on with it, one
    without either is refused. So is what demands no credentials and is for another host's name.
    """
    login = base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()

    def admit(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        wait_together(STORE_PATIENCE_SECONDS)
        is_webhook = request.path.rstrip("/") == "/webhook"
        if not (credentials.webhook_secret if is_webhook else credentials.user):
            try:
                hosts.check_name(request.headers.get("Host"))
            except RequestError as error:
                start_response("400 BAD REQUEST", [("Content-Type", "application/json")])
                return [json.dumps({"error": error.message, "hint": error.hint}).encode()]
        if is_webhook:
            if not credentials.admit_webhook(request):
                start_response("401 UNAUTHORIZED", [("Content-Type", "application/json")])
                return [b'{"error": "The event carries no valid X-Webhook-Secret header."}']
            if credentials.user:
                environ["HTTP_AUTHORIZATION"] = f"Basic {login}"
        return serve(environ, start_response)

    return admit


def _ready() -> Services:
    global _services
    with _building:
        if _services is None:
            settings = Settings()
            use_data(settings, "api")
            _services = build_services(settings)
        return _services
