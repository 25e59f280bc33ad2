"""The protocol between Label Studio and an ML backend."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST

from ml_backend.api.schemas import parse_batch, parse_event, project_number, read_json
from ml_backend.auth import WEBHOOK_SECRET_HEADER, Credentials
from ml_backend.errors import CredentialsError, LabelConfigError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.logs import get_logger
from ml_backend.services import Services

#: Label Studio sends all selected tasks in one request, about a kilobyte each.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_EVENT_BYTES = 16 * 1024 * 1024

_log = get_logger(__name__)


def create_blueprint(services: Services, credentials: Credentials) -> Blueprint:
    """Return the protocol's routes; everything but ``/webhook`` takes Basic auth where it is set."""
    blueprint = Blueprint("protocol", __name__)
    predictions, store, metrics = services.predictions, services.store, services.metrics

    @blueprint.before_request
    def admit() -> None:
        if request.endpoint == "protocol.webhook":
            if not credentials.admit_webhook(request):
                raise CredentialsError(
                    f"The event carries no valid {WEBHOOK_SECRET_HEADER} header.",
                    f"Set the webhook's header {WEBHOOK_SECRET_HEADER} to the backend's WEBHOOK_SECRET.",
                )
        elif not credentials.admit(request):
            raise CredentialsError(
                "This backend demands Basic auth.", "Register it with BASIC_AUTH_USER and BASIC_AUTH_PASSWORD."
            )

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> ResponseReturnValue:
        # Label Studio waits one second for this: no lock, no model, no database. Models are loaded before the first
        # request is taken, so an answer at all means that they are there.
        answer = {"status": "UP", "model_version": predictions.model_version()}
        if problems := predictions.model_problems():
            # Up all the same: what served before still does.
            answer["model_problem"] = " ".join(problems.values())
        return answer

    @blueprint.post("/setup")
    def setup() -> ResponseReturnValue:
        body = read_json(request)
        project = project_number(body.get("project"))
        try:
            parse_label_config(str(body.get("schema") or ""))
        except LabelConfigError as error:
            # Not refused: a project may be connected first and configured later, and it asks again at every retrieval.
            _log.warning("label_config_unusable", project=project, error=str(error))
        return {"model_version": predictions.model_version(project)}

    @blueprint.post("/predict")
    def predict() -> ResponseReturnValue:
        batch = parse_batch(read_json(request))
        results, version = predictions.predict(batch)
        return {"results": results, "model_version": version}

    @blueprint.post("/webhook")
    def webhook() -> ResponseReturnValue:
        request.max_content_length = MAX_EVENT_BYTES
        event = parse_event(read_json(request))
        stored = store.add_event(
            event.payload,
            action=event.action,
            project_id=event.project_id,
            task_ids=event.task_ids,
            annotation_ids=event.annotation_ids,
        )
        duplicate = stored.duplicate_of is not None
        metrics.event_stored(event.action, duplicate=duplicate)
        _log.info("event_stored", event_id=stored.id, action=event.action, project=event.project_id, again=duplicate)
        return {"status": "stored", "event": stored.id, "duplicate": duplicate}, 201

    @blueprint.get("/versions")
    def versions() -> ResponseReturnValue:
        return {"versions": list(predictions.model_versions(project_number(request.args.get("project"))))}

    @blueprint.get("/metrics")
    def show_metrics() -> ResponseReturnValue:
        return Response(metrics.render(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
