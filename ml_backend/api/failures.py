"""Errors to answers: ``{"error", "hint"}`` with a status for the caller, the traceback for the log."""

from __future__ import annotations

from flask import Flask
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ml_backend.errors import BackendError, CredentialsError
from ml_backend.logs import get_logger

_log = get_logger(__name__)


def register_error_handlers(app: Flask) -> None:
    """Make every error an answer in JSON."""

    @app.errorhandler(BackendError)
    def expected(error: BackendError) -> ResponseReturnValue:
        if error.status >= 500:
            _log.error("request_failed", error=str(error), exc_info=error)
        headers = {"WWW-Authenticate": "Basic"} if isinstance(error, CredentialsError) else {}
        return {"error": error.message, "hint": error.hint}, error.status, headers

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        hint = error.description or ""
        if isinstance(error, RequestEntityTooLarge):
            hint = "The request is larger than the backend takes: select fewer tasks."
        # What the exception says for the caller besides the page, such as «Allow» for a wrong method.
        headers = [(key, value) for key, value in error.get_headers() if key.lower() != "content-type"]
        return {"error": error.name, "hint": hint}, error.code or 500, headers

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        _log.error("request_failed_unexpectedly", exc_info=error)
        return {"error": "The backend failed.", "hint": "Its log says why, under the X-Request-ID of this answer."}, 500
