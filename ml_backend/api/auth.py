"""Credentials of callers: Basic auth as Label Studio sends it, and the secret header of its webhooks.

Label Studio sends Basic auth with ``/health``, ``/setup``, ``/predict`` and ``/versions``, and with the
``START_TRAINING`` event, but never with a webhook; a webhook carries only the headers stored with it, and
``START_TRAINING`` does not carry those. So ``/webhook`` accepts the secret header or valid Basic auth; what comes with
neither is a hint at best (:mod:`ml_backend.api.protocol`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from werkzeug.wrappers import Request

from ml_backend.label_studio.webhooks import WEBHOOK_SECRET_HEADER
from ml_backend.settings import Settings


@dataclass(frozen=True)
class Credentials:
    """What a caller must send; an empty value demands nothing.

    Attributes:
        user: User name of Basic auth; empty if there is none.
        password: Password of Basic auth.
        webhook_secret: Value of the ``X-Webhook-Secret`` header.
    """

    user: str
    password: str
    webhook_secret: str

    def __repr__(self) -> str:
        """Show nothing: this must be safe to log."""
        return "Credentials(…)"

    @staticmethod
    def of(settings: Settings) -> Credentials:
        """Take the credentials out of the settings."""
        return Credentials(
            user=settings.basic_auth_user,
            password=settings.basic_auth_password.get_secret_value(),
            webhook_secret=settings.webhook_secret.get_secret_value(),
        )

    def admit(self, request: Request) -> bool:
        """Return whether the request may use what Label Studio authenticates: always, if no user is set."""
        return not self.user or self._basic_auth_matches(request)

    def admit_webhook(self, request: Request) -> bool:
        """Return whether the request may hand in an event: always, if no secret is set."""
        if not self.webhook_secret:
            return True
        if _same(request.headers.get(WEBHOOK_SECRET_HEADER, ""), self.webhook_secret):
            return True
        return bool(self.user) and self._basic_auth_matches(request)

    def _basic_auth_matches(self, request: Request) -> bool:
        sent = request.authorization
        if sent is None or sent.type != "basic":
            return False
        # Both are compared always, so that the time does not tell which of them was wrong.
        user_matches = _same(sent.username or "", self.user)
        password_matches = _same(sent.password or "", self.password)
        return user_matches and password_matches


class BearerToken:
    """The token of the self-learning API.

    Args:
        token: What a caller must send; empty admits nobody.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        """Show nothing: this must be safe to log."""
        return "BearerToken(…)"

    @property
    def is_set(self) -> bool:
        """Whether there is a token at all."""
        return bool(self._token)

    def admits(self, request: Request) -> bool:
        """Return whether the request carries the token; the time that takes does not depend on what it carries."""
        sent = request.authorization
        carried = sent.token if sent is not None and sent.type == "bearer" else None
        return _same(carried or "", self._token) and self.is_set


def _same(sent: str, expected: str) -> bool:
    # Digests are of one length, so that not even the length of the expected value shows in the time.
    # Half a pair of surrogates, which a header may hold, is a wrong value and no error.
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (sent, expected)]
    return hmac.compare_digest(*digests)
