"""Routes that describe themselves: what is declared here is what is checked, answered, and told in OpenAPI 3.1.

APIFlask, SpecTree and flask-openapi3 give a route one kind of body, or JSON and a form at most, while ``/extract``
takes JSON, a form, or the bytes of an image or PDF, and their errors would have to be replaced by ours, which never
repeat what was sent. The models are pydantic's, whose JSON Schema is that of OpenAPI 3.1: what is left is about a
hundred lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from model.document.formats import MEDIA_TYPES

Method = Literal["GET", "POST"]

#: What every error looks like.
PROBLEM = "Problem"
_SCHEMAS = "#/components/schemas/"
_REASONS = {
    400: "The request is not what is asked for.",
    403: "The image may not be fetched from there.",
    401: "The token is missing or wrong.",
    404: "There is no such thing.",
    409: "Not now: something else must happen before.",
    413: "The request is too large.",
    415: "The request's content type is not one that is taken.",
    422: "The request is understood, but cannot be done with this image or project.",
    502: "Label Studio refuses, or answers with what cannot be used.",
    503: "Label Studio, the store or MLflow does not answer, or the API is closed.",
}
#: What any route may answer.
EVERYWHERE = (400, 401, 413, 503)


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not JSON: its content types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: Its method.
        path: Below the prefix, with ``{name}`` where a part of it varies.
        name: The name of its operation.
        summary: What it does, one sentence.
        handle: Does it.
        answers: The models of its answers, by status.
        path_model: What varies in the path.
        query: Its parameters.
        body: What is sent as JSON.
        form: What is sent as a form, files among it.
        image: Whether an image may be sent as it is.
        body_required: Whether something must be sent.
        errors: The statuses of its errors, besides those that any route has.
        raw: Content types of an answer with status 200 besides JSON.
    """

    method: Method
    path: str
    name: str
    summary: str
    handle: Callable[..., Any]
    answers: Mapping[int, type[BaseModel]]
    path_model: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    image: bool = False
    body_required: bool = True
    errors: tuple[int, ...] = ()
    raw: tuple[str, ...] = field(default=())

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return self.path.replace("{", "<").replace("}", ">")


def describe(
    routes: Iterable[Route], problem: type[BaseModel], *, prefix: str, title: str, version: str
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of routes, as JSON.

    Args:
        routes: The routes.
        problem: The model of every error.
        prefix: What stands before every path.
        title: Name of the API.
        version: Of the API.
    """
    routes = list(routes)
    sent = {model for route in routes for model in (route.body, route.form) if model is not None}
    given = {model for route in routes for model in route.answers.values()} | {problem}
    ordered = sorted(sent, key=lambda model: model.__name__), sorted(given, key=lambda model: model.__name__)
    names, definitions = models_json_schema(
        [(model, "validation") for model in ordered[0]] + [(model, "serialization") for model in ordered[1]],
        ref_template=_SCHEMAS + "{model}",
    )

    def schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        return dict(names[(model, mode)])

    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, problem, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(route: Route, problem: type[BaseModel], schema: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in route.answers.items():
        content = {"application/json": {"schema": schema(model, "serialization")}}
        content |= {kind: {"schema": {"type": "string"}} for kind in route.raw} if status == 200 else {}
        responses[str(status)] = {"description": "Done.", "content": content}
    for status in sorted({*EVERYWHERE, *route.errors}):
        content = {"application/json": {"schema": schema(problem, "serialization")}}
        responses[str(status)] = {"description": _REASONS[status], "content": content}
    operation: dict[str, Any] = {"operationId": route.name, "summary": route.summary, "responses": responses}
    parameters = [*_parameters(route.path_model, "path"), *_parameters(route.query, "query")]
    if parameters:
        operation["parameters"] = parameters
    content = {}
    if route.body is not None:
        content["application/json"] = {"schema": schema(route.body, "validation")}
    if route.form is not None:
        content["multipart/form-data"] = {"schema": schema(route.form, "validation")}
    if route.image:
        for kind in (*MEDIA_TYPES, "application/pdf"):
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
    if content:
        operation["requestBody"] = {"required": route.body_required, "content": content}
    return operation


def _parameters(model: type[BaseModel] | None, where: Literal["path", "query"]) -> list[dict[str, Any]]:
    if model is None:
        return []
    described = model.model_json_schema()
    required = described.get("required", ())
    return [
        {
            "name": name,
            "in": where,
            "required": where == "path" or name in required,
            "schema": _inlined(each, described),
        }
        for name, each in described.get("properties", {}).items()
    ]


def _inlined(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema without the null that stands for "not given": in an address there is none."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        schema = rest | options[0]
    if "$ref" in schema:
        schema = dict(whole["$defs"][schema["$ref"].rpartition("/")[2]])
    return schema
