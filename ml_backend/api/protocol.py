"""The protocol between Label Studio and an ML backend."""

from __future__ import annotations

from flask import Blueprint, Request, Response, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import RequestEntityTooLarge

from ml_backend.api.auth import Credentials
from ml_backend.api.events import write_down
from ml_backend.api.limits import MAX_EVENT_BYTES, MAX_HINT_BYTES
from ml_backend.api.schemas import parse_batch, parse_event, project_number, read_json
from ml_backend.api.services import Services
from ml_backend.errors import CredentialsError, LabelConfigError, RequestError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.webhooks import WEBHOOK_SECRET_HEADER
from ml_backend.observability.logs import get_logger
from ml_backend.store.events import START_TRAINING

_log = get_logger(__name__)


def create_blueprint(services: Services, credentials: Credentials) -> Blueprint:
    """Return the protocol's routes; everything but ``/webhook`` takes Basic auth where it is set."""
    blueprint = Blueprint("protocol", __name__)
    predictions, store, metrics = services.predictions, services.store, services.metrics

    @blueprint.before_request
    def admit() -> None:
        # The webhook looks for its secret itself: one event comes without.
        if request.endpoint != "protocol.webhook" and not credentials.admit(request):
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
        if not credentials.admit_webhook(request):
            return hint(request)
        request.max_content_length = MAX_EVENT_BYTES
        stored = write_down(services, parse_event(read_json(request)))
        return {"status": "stored", "event": stored.id, "duplicate": stored.duplicate_of is not None}, 201

    def hint(request: Request) -> ResponseReturnValue:
        """Answer an event without the secret.

        Label Studio sends "Start training" like that, whatever headers the webhook has. It is believed no further than
        it can do no harm: a known project is looked at, rarely, and trained if anything is new.
        """
        request.max_content_length = MAX_HINT_BYTES
        try:
            event = parse_event(read_json(request))
        except (RequestError, RequestEntityTooLarge):
            event = None
        if event is None or event.action != START_TRAINING or event.project_id is None:
            raise CredentialsError(
                f"The event carries no valid {WEBHOOK_SECRET_HEADER} header.",
                f"Set the webhook's header {WEBHOOK_SECRET_HEADER} to the backend's WEBHOOK_SECRET.",
            )
        outcome = store.add_hint(event.project_id)
        _log.info("training_hint", project=event.project_id, outcome=outcome)
        # The same for every number: a stranger is not told which projects there are.
        return {"status": "noted"}, 202

    @blueprint.get("/versions")
    def versions() -> ResponseReturnValue:
        return {"versions": list(predictions.model_versions(project_number(request.args.get("project"))))}

    @blueprint.get("/metrics")
    def show_metrics() -> ResponseReturnValue:
        return Response(metrics.render(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
