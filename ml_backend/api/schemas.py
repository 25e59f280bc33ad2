"""What Label Studio sends, checked: past this module there are no untyped requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_backend.errors import RequestError
from ml_backend.label_studio.records import Task, written_in
from ml_backend.predict.service import Batch

#: Numbers beyond this fit no database, and come from no Label Studio.
_LARGEST_ID = 2**63 - 1
_ACTION = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_PROJECT = re.compile(r"(\d{1,18})(\.\d+)?")


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _TaskIn(_Incoming):
    id: int = Field(0, ge=0, le=_LARGEST_ID)
    data: dict[str, Any]


class _Context(_Incoming):
    result: list[dict[str, Any]] | None = None


class _Params(_Incoming):
    context: _Context | None = None


class _PredictIn(_Incoming):
    tasks: list[Any]
    project: str | int | None = None
    label_config: str | None = None
    params: _Params | None = None


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as Label Studio sent it, and what it is about."""

    action: str
    project_id: int | None
    task_ids: tuple[int, ...]
    annotation_ids: tuple[int, ...]
    payload: Mapping[str, Any]


def read_json(request: Request) -> dict[str, Any]:
    """Return a request's body, whatever content type it claims.

    Raises:
        RequestError: If it is no JSON object.
    """
    try:
        body = json.loads(request.get_data(cache=False), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError("The request body is not JSON.", "Send a JSON object in UTF-8.") from error
    if not isinstance(body, dict):
        raise RequestError("The request body is JSON, but not an object.", "Send a JSON object.")
    return body


def parse_batch(body: Mapping[str, Any]) -> Batch:
    """Return what a ``/predict`` asks for.

    A task that cannot be understood becomes ``None``, so that the answer keeps its place; a context that cannot be
    understood is an error, since the answer would be one to another question.

    Raises:
        RequestError: If there is no list of tasks, or a part of the request is of another kind than it should be.
    """
    try:
        sent = _PredictIn.model_validate(body)
    except ValidationError as error:
        # The library's own message quotes the values.
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise RequestError(f"The request is not a prediction request: {where} is missing or wrong.") from error
    context = sent.params.context if sent.params else None
    project_id = project_number(sent.project)
    return Batch(
        tasks=[_task(raw, project_id) for raw in sent.tasks],
        label_config=sent.label_config or "",
        project_id=project_id,
        drawn=context.result if context else None,
    )


def parse_event(body: Mapping[str, Any]) -> IncomingEvent:
    """Return what an event is about; its payload keeps all but the project's invitation token.

    Raises:
        RequestError: If it does not say what has happened.
    """
    action = body.get("action")
    if not isinstance(action, str) or not _ACTION.fullmatch(action):
        raise RequestError("The event has no action.", "Send what Label Studio sends, with the payload switched on.")
    project, annotation = body.get("project"), body.get("annotation")
    payload = dict(body)
    if isinstance(project, dict):
        payload["project"] = {key: value for key, value in project.items() if key != "token"}
    about = [body.get("task"), body.get("tasks"), annotation.get("task") if isinstance(annotation, dict) else None]
    return IncomingEvent(
        action=action,
        project_id=next(iter(_ids(project)), None),
        task_ids=tuple(dict.fromkeys(number for value in about for number in _ids(value))),
        annotation_ids=tuple(dict.fromkeys((*_ids(annotation), *_ids(body.get("annotations"))))),
        payload=payload,
    )


def project_number(project: str | int | None) -> int | None:
    """Return a project's number out of ``ID.TIMESTAMP``, as ``/predict`` and ``/setup`` give it."""
    match = _PROJECT.fullmatch(str(project))
    return int(match[1]) if match else None


def _task(raw: object, project_id: int | None) -> Task | None:
    try:
        sent = _TaskIn.model_validate(raw)
    except ValidationError:
        return None
    written = written_in(raw) if isinstance(raw, Mapping) else ()
    return Task(id=sent.id, project=project_id or 0, data=sent.data, is_labeled=False, written=written)


def _ids(value: object) -> list[int]:
    """Return the numbers of an object, of a list of objects, or of numbers themselves."""
    values = value if isinstance(value, list) else [value]
    numbers = [item.get("id") if isinstance(item, dict) else item for item in values]
    return [
        number
        for number in numbers
        if isinstance(number, int) and not isinstance(number, bool) and 0 < number <= _LARGEST_ID
    ]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
