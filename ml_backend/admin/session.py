"""Access to the panel, and which requests come from it: login with the token, session cookie, forms, headers.

The session cookie is signed with a key made of the token: another token, and everybody is out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from datetime import timedelta

from flask import Flask, Request, Response, session

from ml_backend.errors import BackendError
from model.errors import say

#: How long a login holds without a visit.
LOGIN_HOURS = 12
#: Wrong tokens from all visitors together, a minute, before nobody is heard for the rest of it.
MOST_TRIES = 20

#: Everything comes from here; nothing is framed, embedded or sent elsewhere, and no script or style stands in a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class FormError(BackendError):
    """A form that was not sent by a page of this panel, or by one from before the login."""

    status = 400


class TooManyTriesError(BackendError):
    """Too many wrong tokens."""

    status = 429


def prepare(app: Flask, token: str, *, secure: bool) -> None:
    """Set the session cookie up.

    Args:
        app: The application.
        token: What the key is made of.
        secure: Whether the cookie may travel over HTTPS only.
    """
    app.secret_key = hashlib.sha256(b"panel session\0" + token.encode()).digest()
    app.config.update(
        SESSION_COOKIE_NAME="panel",
        SESSION_COOKIE_PATH="/admin",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=LOGIN_HOURS),
    )


class PanelSession:
    """Lets in anyone with the token.

    Args:
        token: The token; never empty.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._wrong: list[float] = []
        self._lock = threading.Lock()

    def enter(self, sent: str) -> bool:
        """Log the visitor in, if the token is right.

        Raises:
            TooManyTriesError: If there were too many wrong ones in the last minute.
        """
        now = time.monotonic()
        with self._lock:
            self._wrong = [moment for moment in self._wrong if now - moment < 60]
            if len(self._wrong) >= MOST_TRIES:
                raise TooManyTriesError(say("Too many wrong tokens."), say("Wait a minute."))
            if not _same(sent.strip(), self._token):
                self._wrong.append(now)
                return False
        session.clear()
        session.permanent = True
        session["in"] = True
        return True

    @property
    def is_in(self) -> bool:
        """Whether the visitor is logged in."""
        return session.get("in") is True


def form_secret() -> str:
    """Return the secret that this visitor's forms carry."""
    if "form" not in session:
        session["form"] = secrets.token_urlsafe(24)
    return str(session["form"])


def check_form(request: Request) -> None:
    """See that a form comes from a page of this panel.

    Raises:
        FormError: If it does not.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    known = session.get("form")
    if site != "same-origin" or not known or not _same(request.form.get("form", ""), str(known)):
        raise FormError(
            say("This form is not, or no longer, of this panel."), say("Go back, load the page again, and repeat.")
        )


def seal(response: Response) -> Response:
    """Add the headers that keep a page to itself."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _same(sent: str, expected: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(sent.encode()).digest(), hashlib.sha256(expected.encode()).digest())


def inside(address: str) -> str:
    """Return an address of the panel, or nothing: nobody is sent elsewhere by a link to the login."""
    fine = address.startswith("/admin") and "//" not in address and "\\" not in address and "\n" not in address
    return address if fine and (address == "/admin" or address[6:7] in "/?") else ""
