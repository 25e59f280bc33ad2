"""How much of a request's body is waited for: decided by its headers alone, before a byte of it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from werkzeug.wrappers import Request

from ml_backend.api.auth import BearerToken, Credentials
from ml_backend.api.limits import MAX_EVENT_BYTES, MAX_FORM_BYTES, MAX_HINT_BYTES, MAX_REQUEST_BYTES
from ml_backend.settings import Settings

_API, _PANEL = "/api/self-learning/", "/admin/"
_URGENT = frozenset({"/", "/health"})
_PROTOCOL = frozenset({"/predict", "/setup"})


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a request may bring along.

    Attributes:
        body_bytes: The largest body that is waited for; 0 where the answer does not depend on any.
        trusted: Whether the request carries the credentials that its route demands.
        urgent: Whether it is answered by the threads that are kept for ``/health``.
    """

    body_bytes: int
    trusted: bool = False
    urgent: bool = False


class Admission:
    """Looks at the headers of requests as the routes will, but before their bodies are read.

    Args:
        settings: Credentials, and what they may upload.
    """

    def __init__(self, settings: Settings) -> None:
        self._credentials = Credentials.of(settings)
        self._token = BearerToken(settings.api_token.get_secret_value())
        self._upload_bytes = settings.max_upload_bytes

    def of(self, target: str, headers: Mapping[str, str]) -> Allowance:
        """Return what a request may bring along.

        Args:
            target: What the request line names: a path, maybe with a query, or a whole address.
            headers: By lower-case name.
        """
        environment = {"REQUEST_METHOD": "POST", "PATH_INFO": "/"}
        for name in ("authorization", "x-webhook-secret"):
            if name in headers:
                environment[f"HTTP_{name.upper().replace('-', '_')}"] = headers[name]
        try:
            # What begins with two slashes is a path here, and would be a host to urlsplit.
            path = unquote(urlsplit(target).path if not target.startswith("/") else target.partition("?")[0])
            return self._of(path, Request(environment))
        except ValueError:
            return Allowance(0)

    def _of(self, path: str, request: Request) -> Allowance:
        if path in _URGENT:
            return Allowance(0, urgent=True)
        if path == "/webhook":
            if self._credentials.admit_webhook(request):
                return Allowance(MAX_EVENT_BYTES, trusted=True)
            return Allowance(MAX_HINT_BYTES)
        if path in _PROTOCOL and self._credentials.admit(request):
            return Allowance(MAX_REQUEST_BYTES, trusted=True)
        if path.startswith(_API) and self._token.admits(request):
            return Allowance(self._upload_bytes, trusted=True)
        if path.startswith(_PANEL):
            # Who is in says a cookie, and the form to log in comes without.
            return Allowance(MAX_FORM_BYTES)
        return Allowance(0)
