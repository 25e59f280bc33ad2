"""Errors to answers: ``{"error", "hint"}`` with a status for the caller, the traceback for the log."""

from __future__ import annotations

from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from ml_backend.errors import BackendError, CredentialsError
from ml_backend.observability.logs import get_logger
from model.errors import ImageBusyError, ImageError, ModelError, TrackingError, UnknownVersionError, VersionError

_log = get_logger(__name__)

# The most special first.
_MODELS: tuple[tuple[type[ModelError], int, str], ...] = (
    (ImageBusyError, 503, "Try again in a moment."),
    (ImageError, 422, "Send a PNG, JPEG, WebP, TIFF or BMP file."),
    (UnknownVersionError, 404, "GET /api/self-learning/versions lists them."),
    (VersionError, 409, "Its files are gone or changed: choose another version."),
    (TrackingError, 503, "Check MLFLOW_TRACKING_URI and MODELS_DIR."),
)
_LOG = "The log of the backend says more, under the X-Request-ID of this answer."
#: For errors that say in their message all that there is to say.
_BY_STATUS = {
    400: "GET /api/self-learning/openapi.json says what is asked.",
    403: "Send the image itself, or an address that images may be read from.",
    404: "Check the number in the request.",
    409: "GET /api/self-learning/status says how things are.",
    422: "GET /api/self-learning/openapi.json says what is asked.",
}


def register_error_handlers(app: Flask) -> None:
    """Make every error an answer in JSON."""

    @app.errorhandler(BackendError)
    def expected(error: BackendError) -> ResponseReturnValue:
        if error.status >= 500:
            # Where all wait for one lock, tracebacks would take longer than the wait, and tell nothing.
            _log.error("request_failed", error=str(error), exc_info=None if error.retry_after else error)
        headers = {"WWW-Authenticate": error.scheme} if isinstance(error, CredentialsError) else {}
        headers |= {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return {"error": error.message, "hint": error.hint or _BY_STATUS.get(error.status, _LOG)}, error.status, headers

    @app.errorhandler(ModelError)
    def of_models(error: ModelError) -> ResponseReturnValue:
        status, hint = next((each[1:] for each in _MODELS if isinstance(error, each[0])), (500, _LOG))
        if status >= 500:
            _log.error("request_failed", error=str(error), exc_info=error)
        return {"error": str(error), "hint": hint}, status

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        hint = error.description or ""
        if isinstance(error, RequestEntityTooLarge):
            hint = (
                "The request is larger than the backend takes: select fewer tasks, or send a smaller image. "
                "What the self-learning API takes is MAX_UPLOAD_BYTES."
            )
        if isinstance(error, NotFound):
            hint = "GET /api/self-learning/openapi.json lists the API's routes, docs/connecting.md all others."
        # What the exception says for the caller besides the page, such as "Allow" for a wrong method.
        headers = [(key, value) for key, value in error.get_headers() if key.lower() != "content-type"]
        return {"error": error.name, "hint": hint}, error.code or 500, headers

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        _log.error("request_failed_unexpectedly", exc_info=error)
        return {"error": "The backend failed.", "hint": "Its log says why, under the X-Request-ID of this answer."}, 500
