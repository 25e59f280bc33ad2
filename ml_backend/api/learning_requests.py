"""Requests to the self-learning API, checked: what varies in the address, parameters, bodies, images."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from flask import Request
from pydantic import BaseModel, TypeAdapter, ValidationError

from ml_backend.api.learning_schemas import MOST_BLOCKS, BlockIn, BoxIn, FeedbackIn
from ml_backend.api.openapi import Route
from ml_backend.api.sent_values import FIRST, SECOND
from ml_backend.errors import BackendError, RequestError
from ml_backend.learn.blocks import TextBlock
from model.document.formats import MEDIA_TYPES
from model.document.types import Box

Model = TypeVar("Model", bound=BaseModel)

#: Blocks in a form are text; images are files and count elsewhere.
MAX_FORM_TEXT_BYTES = 4 * 1024 * 1024

#: The beginning of an address that holds its file itself, RFC 2397.
_DATA_URI = re.compile(r"\s*data:[^,;]*(;[^,;]*)*;base64,", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")

_BLOCKS: TypeAdapter[tuple[BlockIn, ...]] = TypeAdapter(tuple[BlockIn, ...])


class ContentTypeError(BackendError):
    """A request of a content type that is not taken."""

    status = 415


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request.

    Attributes:
        path: What varies in the address; ``None`` where nothing does.
        query: The parameters; ``None`` where there are none.
        body: What was sent as JSON; ``None`` where it came otherwise.
        image: The file that was uploaded.
        blocks: What came with an uploaded file.
        accepts: Content types that the caller takes, the best first.
    """

    path: Any
    query: Any
    body: Any
    image: bytes | None
    blocks: str | None
    accepts: tuple[str, ...]


def read_call(route: Route, request: Request, path: Mapping[str, str]) -> Call:
    """Check a request.

    Raises:
        RequestError: If it is not what the route asks for.
        ContentTypeError: If its content type is not one that the route takes.
    """
    body, image, blocks = None, None, None
    kind = request.mimetype
    if route.form is not None and kind == "multipart/form-data":
        image, blocks = _form(request, route.form)
    elif route.image and (kind.startswith("image/") or kind == "application/pdf"):
        image = request.get_data(cache=False)
    elif route.body is not None:
        body = _json(request, route)
    elif route.form is not None or route.image:
        raise ContentTypeError(f"The content type {kind or '(none)'} is not taken.", _taken(route))
    return Call(
        check(route.path_model, path) if route.path_model else None,
        check(route.query, _flat(request)) if route.query else None,
        body,
        image,
        blocks,
        tuple(request.accept_mimetypes.values()),
    )


def check(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return values that came as text, as ``model`` wants them.

    Raises:
        RequestError: If they cannot be that.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error) from error


def refusal(error: ValidationError, where: str = "") -> RequestError:
    """Return what to say of values that are not what they should be; they themselves are not repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in (*([where] if where else []), *first["loc"]) if part not in (FIRST, SECOND))
    return RequestError(
        f"{place or 'The body'}: {first['msg']}.", "GET /api/self-learning/openapi.json says what is asked."
    )


def blocks_of(sent: Sequence[BlockIn], side: str) -> list[TextBlock]:
    """Return blocks as the services take them.

    Args:
        sent: The blocks; one without a name gets one that no other has.
        side: What they are called in errors, and in the names that are given.

    Raises:
        RequestError: If two have one name, or one has no extent.
    """
    names = {str(block.block_id) for block in sent if block.block_id is not None}
    if len(names) < sum(block.block_id is not None for block in sent):
        raise RequestError(f"{side}: two blocks have the same block_id.", "Give each a name of its own.")
    found = []
    for index, block in enumerate(sent):
        name = None if block.block_id is None else str(block.block_id)
        text = " ".join((block.text or "").split())
        if name is None:
            name = f"{side}-{index}"
            while name in names:
                name += "'"
        try:
            box, field = Box(*block.edges), block.field or None
        except ValueError as error:
            raise RequestError(
                f"{side}.{index}.bbox: it has no extent.",
                "Send [left, top, right, bottom] or x, y, width and height, in pixels.",
            ) from error
        numbered, sized = isinstance(block.block_id, int), isinstance(block.bbox, BoxIn)
        found.append(TextBlock(name, text, box, field, block.page or 1, numbered=numbered, sized=sized))
    return found


def blocks_of_text(text: str | None) -> tuple[BlockIn, ...] | None:
    """Return the blocks of a form; ``None`` where it has none.

    Raises:
        RequestError: If they are not a JSON list of blocks.
    """
    if not text:
        return None
    try:
        blocks = _BLOCKS.validate_json(text)
    except ValidationError as error:
        raise refusal(error, "blocks") from error
    if len(blocks) > MOST_BLOCKS:
        raise RequestError(f"blocks: there are more than {MOST_BLOCKS}.")
    return blocks


def decoded(text: str | None) -> bytes | None:
    """Return a file that was sent as base64; ``None`` where none was.

    White space, a data URI's beginning, the url-safe alphabet and missing padding are what encoders make.

    Raises:
        RequestError: If it is no base64.
    """
    if text is None:
        return None
    start = _DATA_URI.match(text)
    if start is not None:
        text = text[start.end() :]
        # In an address + and / may be written as %2B and %2F.
        text = unquote(text) if "%" in text else text
    plain = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    try:
        data = base64.b64decode(plain.encode("ascii") + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise RequestError(
            "image_base64: it is not base64.", "Send the file's bytes in base64, or as a data URI with base64."
        ) from error
    if not data:
        raise RequestError("image_base64: it is empty.", "Send the file's bytes in base64, or leave it out.")
    return data


def contact_as_text(in_path: str, in_body: int | str | None) -> bool | None:
    """Return whether a contact's name was sent as a text; ``None`` where the body does not name it.

    Raises:
        RequestError: If the body names another contact than the address.
    """
    if in_body is None:
        return None
    if str(in_body) != in_path:
        raise RequestError("contact_id: it is not that of the address.", "Send the same, or leave it out of the body.")
    return isinstance(in_body, str)


def corrected_blocks(body: FeedbackIn) -> list[TextBlock]:
    """Return what should have been read: without the blocks that are said to be deleted, with those that are added.

    Raises:
        RequestError: If two blocks have one name, or one has no extent.
    """
    blocks = blocks_of(body.corrected_blocks, "corrected_blocks")
    deleted = {block.id for block in blocks_of(body.deleted_blocks or (), "deleted_blocks")}
    added = blocks_of(body.added_blocks or (), "added_blocks")
    if both := sorted(deleted & {block.id for block in added}):
        raise RequestError(f"added_blocks: {both[0]} is among deleted_blocks too.", "Leave one of them out.")
    kept = [block for block in blocks if block.id not in deleted]
    there = {block.id for block in kept}
    return [*kept, *(block for block in added if block.id not in there)]


def _json(request: Request, route: Route) -> BaseModel:
    assert route.body is not None
    data = request.get_data(cache=False)
    if not data and not route.body_required:
        data = b"{}"
    elif request.mimetype != "application/json":
        raise ContentTypeError(f"The content type {request.mimetype or '(none)'} is not taken.", _taken(route))
    try:
        # Checked by Python's reader first: the other takes NaN for a number.
        json.loads(data, parse_constant=_refuse)
        return route.body.model_validate_json(data)
    except ValidationError as error:
        raise refusal(error) from error
    except (ValueError, RecursionError) as error:
        raise RequestError("The request body is not JSON.", "Send a JSON object in UTF-8.") from error


def _form(request: Request, form: type[BaseModel]) -> tuple[bytes, str | None]:
    file = request.files.get("image")
    if file is None:
        raise RequestError("image: the form has no such file.", 'Send it as the form\'s file "image".')
    if unknown := sorted({*request.form, *request.files} - set(form.model_fields)):
        raise RequestError(f"{unknown[0][:50]}: the form takes no such part.")
    return file.read(), request.form.get("blocks")


def _flat(request: Request) -> dict[str, Any]:
    twice = next((name for name in request.args if len(request.args.getlist(name)) > 1), None)
    if twice is not None:
        raise RequestError(f"{twice[:50]}: it is given twice.")
    return request.args.to_dict()


def _taken(route: Route) -> str:
    kinds = [
        *(["application/json"] if route.body else []),
        *(["multipart/form-data"] if route.form else []),
        *([", ".join((*MEDIA_TYPES, "application/pdf"))] if route.image else []),
    ]
    return f"Send {' or '.join(kinds)}."


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
