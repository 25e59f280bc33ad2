"""The self-learning API: its routes, who may call them, and their description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

import ml_backend
from ml_backend.api import learning_schemas as m
from ml_backend.api.auth import BearerToken
from ml_backend.api.learning_requests import MAX_FORM_TEXT_BYTES, read_call
from ml_backend.api.learning_views import CSV, VCARD, Views
from ml_backend.api.openapi import Route, describe
from ml_backend.api.services import SelfLearning
from ml_backend.errors import BackendError, CredentialsError
from ml_backend.settings import Settings

PREFIX = "/api/self-learning"


class TokenError(CredentialsError):
    """A request without the token."""

    scheme = "Bearer"


class ClosedError(BackendError):
    """An API for which no token is set."""

    status = 503


def create_blueprint(services: SelfLearning, settings: Settings) -> Blueprint:
    """Return the routes; without API_TOKEN all of them say that the API is closed."""
    blueprint = Blueprint("learning", __name__, url_prefix=PREFIX)
    token = BearerToken(settings.api_token.get_secret_value())
    table = routes(Views(services, share=settings.challenger_share, both=settings.serve_both))
    description = describe(
        table, m.Problem, prefix=PREFIX, title="Self-learning API", version=ml_backend.__version__
    )  # fmt: skip

    @blueprint.before_request
    def admit() -> None:
        request.max_content_length = settings.max_upload_bytes
        request.max_form_memory_size = MAX_FORM_TEXT_BYTES
        if not token.is_set:
            raise ClosedError("The self-learning API is closed.", "Set API_TOKEN; `make run` sets one by itself.")
        if not token.admits(request):
            raise TokenError(
                "The token is missing or wrong.", "Send the header \"Authorization: Bearer API_TOKEN\"."
            )  # fmt: skip

    @blueprint.get("/openapi.json")
    def openapi() -> ResponseReturnValue:
        return jsonify(description)

    for route in table:
        blueprint.add_url_rule(route.rule, route.name, _view(route), methods=[route.method])
    return blueprint


def _view(route: Route) -> Callable[..., ResponseReturnValue]:
    def view(**path: str) -> ResponseReturnValue:
        status, answer = route.handle(read_call(route, request, path))
        if isinstance(answer, tuple):
            return Response(answer[1], status, content_type=answer[0])
        return Response(answer.model_dump_json(), status, content_type="application/json")

    return view


def routes(views: Views) -> Sequence[Route]:
    """Return all routes but that of the description."""
    label_studio = (502,)
    project: dict[str, Any] = {"query": m.ProjectQuery, "errors": (404,)}
    return (
        Route(
            "GET", "/status", "status", "How a project stands.", views.status, {200: m.StatusOut}, query=m.ProjectQuery
        ),
        Route(
            "POST",
            "/init-label-studio",
            "init_label_studio",
            "Makes or repairs project, connection, webhook and order; repeating it changes nothing.",
            views.init,
            {200: m.InitOut},
            query=m.ProjectQuery,
            body=m.InitIn,
            body_required=False,
            errors=(404, 415, 422, *label_studio),
        ),
        Route(
            "POST",
            "/send-for-annotation/{contact_id}",
            "send_for_annotation",
            "Makes the task of a contact, with its prediction; the same contact twice has the same task.",
            views.send,
            {200: m.SentOut, 201: m.SentOut},
            path_model=m.ContactPath,
            query=m.ProjectQuery,
            body=m.SendIn,
            form=m.SendForm,
            errors=(403, 404, 409, 415, 422, *label_studio),
        ),
        Route(
            "GET",
            "/recommendations",
            "recommendations",
            "The open documents that a person should look at first, and why.",
            views.recommendations,
            {200: m.RecommendationsOut},
            query=m.LimitQuery,
            errors=(404,),
        ),
        Route(
            "POST",
            "/collect-training-data",
            "collect_training_data",
            "Brings annotations and waiting feedback over.",
            views.collect,
            {200: m.CollectedOut},
            body=m.CollectIn,
            body_required=False,
            query=m.ProjectQuery,
            errors=(404, 415, 422, *label_studio),
        ),
        Route(
            "POST",
            "/trigger-training",
            "trigger_training",
            "Has a training run made.",
            views.train,
            {202: m.TriggeredOut},
            body=m.TrainIn,
            body_required=False,
            query=m.ProjectQuery,
            errors=(404, 409, 415),
        ),
        Route(
            "GET",
            "/runs",
            "runs",
            "Training runs, newest first.",
            views.runs,
            {200: m.RunsOut},
            query=m.LimitQuery,
            errors=(404,),
        ),
        Route(
            "GET",
            "/runs/{run_id}",
            "run",
            "One training run.",
            views.run,
            {200: m.RunOut},
            path_model=m.RunPath,
            errors=(404,),
        ),
        Route(
            "POST",
            "/feedback/{contact_id}",
            "give_feedback",
            "Keeps what was read and what it should be; Label Studio is not needed for that.",
            views.take_feedback,
            {201: m.FeedbackOut},
            path_model=m.ContactPath,
            query=m.ProjectQuery,
            body=m.FeedbackIn,
            errors=(404, 415, 422),
        ),
        Route(
            "GET",
            "/feedback",
            "list_feedback",
            "Feedback, newest first.",
            views.list_feedback,
            {200: m.FeedbackPage},
            query=m.FeedbackQuery,
            errors=(404,),
        ),
        Route(
            "GET",
            "/patterns",
            "patterns",
            "What corrections have in common.",
            views.patterns,
            {200: m.PatternsOut},
            query=m.PatternQuery,
            errors=(404,),
        ),
        Route(
            "POST",
            "/extract",
            "extract",
            "An image, a PDF or a TIFF in, a contact out: JSON, vCard 4.0 or CSV.",
            views.extract,
            {200: m.ContactOut},
            query=m.ExtractQuery,
            body=m.ExtractIn,
            form=m.ImageForm,
            image=True,
            errors=(403, 404, 415, 422),
            raw=(VCARD.partition(";")[0], CSV.partition(";")[0]),
        ),
        Route(
            "GET",
            "/versions",
            "versions",
            "The versions of a project, newest first.",
            views.versions,
            {200: m.VersionsOut},
            **project,
        ),
        Route(
            "POST",
            "/versions/{version}/promote",
            "promote",
            "Lets a version serve.",
            views.promote,
            {200: m.ServingOut},
            path_model=m.VersionPath,
            query=m.ProjectQuery,
            body=m.ReasonIn,
            body_required=False,
            errors=(404, 409, 415),
        ),
        Route(
            "POST",
            "/rollback",
            "rollback",
            "Lets the version serve that served before.",
            views.roll_back,
            {200: m.ServingOut},
            query=m.ProjectQuery,
            body=m.ReasonIn,
            body_required=False,
            errors=(404, 409, 415),
        ),
        Route(
            "POST",
            "/ab",
            "set_share",
            "Gives the challenger a share of the tasks.",
            views.share,
            {200: m.ShareOut},
            query=m.ProjectQuery,
            body=m.ShareIn,
            errors=(404, 409, 415),
        ),
        Route(
            "GET",
            "/metrics/history",
            "metrics_history",
            "How versions did, and who served when.",
            views.history,
            {200: m.HistoryOut},
            **project,
        ),
        Route(
            "POST",
            "/projects/{project_id}/fields",
            "add_field",
            "Gives a project a field, or changes one; writes the labelling configuration.",
            views.add_field,
            {200: m.FieldChangeOut},
            path_model=m.ProjectPath,
            body=m.FieldIn,
            errors=(404, 415, 422, *label_studio),
        ),
        Route(
            "GET",
            "/projects/{project_id}/fields",
            "fields",
            "The fields that a project has added.",
            views.fields,
            {200: m.FieldsOut},
            path_model=m.ProjectPath,
        ),
    )
