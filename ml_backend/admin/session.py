"""Access to the panel, and which requests come from it: login with the token, session cookie, forms, headers.

The session cookie is signed with a key made of the token: with another token everybody is logged out. Its id is noted
in the store when its visitor logs out, so that a copy of the cookie is good for nothing from then on. Flask-WTF makes
and checks the forms' tokens, Flask-Limiter counts wrong tokens.

Flask-Login is not used: it loads users by their numbers, and here there are none. Its manager, a user class and a
loader would replace the two lines that write and read one value of Flask's session.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from flask import Flask, Request, Response, g, session
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError

from ml_backend.errors import BackendError
from ml_backend.store.panel_logouts import COOKIE_LASTS, PanelLogouts
from model.errors import say

View = Callable[[], ResponseReturnValue]
Limit = Callable[[View], View]

#: Wrong tokens from one address within a minute, before no token is accepted from there for the rest of it.
MOST_TRIES = 20
#: A Redis that is down must not delay a login: the process counts by itself then.
_STORAGE = {"socket_connect_timeout": 1, "socket_timeout": 2}

#: Everything comes from here; nothing is framed, embedded or sent elsewhere, and no script or style stands in a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class FormError(BackendError):
    """A form that was not sent by a page of this panel, or by one from before the login."""

    status = 400


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
        PERMANENT_SESSION_LIFETIME=COOKIE_LASTS,
        # A form is good for as long as the session that it was shown in.
        WTF_CSRF_TIME_LIMIT=None,
    )


def limit_tries(app: Flask, redis_url: str) -> Limit:
    """Return a decorator for the view that checks tokens: too many wrong ones from an address get status 429.

    Args:
        app: The application.
        redis_url: Where several processes count together; empty, or while Redis is down: each counts by itself.
    """
    limiter = Limiter(
        get_remote_address,
        app=app,
        storage_uri=redis_url or "memory://",
        storage_options=dict(_STORAGE) if redis_url else {},
        strategy="moving-window",
        in_memory_fallback_enabled=True,
        key_prefix="panel",
    )
    return limiter.limit(f"{MOST_TRIES} per minute", deduct_when=lambda answer: answer.status_code == 401)


class PanelSession:
    """Lets in anyone with the token.

    Args:
        token: The token; never empty.
        logouts: Keeps which sessions were ended.
    """

    def __init__(self, token: str, logouts: PanelLogouts) -> None:
        self._token = token
        self._logouts = logouts

    def enter(self, sent: str) -> bool:
        """Log the visitor in, if the token is right."""
        if not _same(sent.strip(), self._token):
            return False
        session.clear()
        session.permanent = True
        session["in"] = secrets.token_urlsafe(24)
        g.panel_visitor_in = True
        return True

    def leave(self) -> None:
        """Log the visitor out, also wherever else the cookie may be.

        Raises:
            StoreError: If that cannot be noted; the visitor stays logged in then.
        """
        if session_id := _session_id():
            self._logouts.add(session_id)
        session.clear()
        g.panel_visitor_in = False

    @property
    def is_in(self) -> bool:
        """Whether the visitor is logged in.

        Raises:
            StoreError: If the store cannot tell.
        """
        if "panel_visitor_in" not in g:
            session_id = _session_id()
            g.panel_visitor_in = bool(session_id) and not self._logouts.has(session_id)
        return self.was_in

    @property
    def was_in(self) -> bool:
        """Whether :attr:`is_in` has found so for this request; pages of errors ask nobody."""
        return bool(g.get("panel_visitor_in", False))


def _session_id() -> str:
    """Return the id of the visitor's session; nothing where there is none, or one from before sessions had ids."""
    found = session.get("in")
    return found if isinstance(found, str) else ""


def check_form(request: Request) -> None:
    """Check that a form comes from a page of this panel: its token, and the browser's word for it.

    Raises:
        FormError: If it does not.
    """
    try:
        validate_csrf(request.form.get("form"))
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise ValidationError("sent by another site")
    except ValidationError as error:
        raise FormError(
            say("This form is invalid or out of date."), say("Go back, load the page again, and repeat.")
        ) from error


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
