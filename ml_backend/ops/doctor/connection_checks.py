"""From this backend to Label Studio: the address, and the token."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal
from urllib.parse import urlsplit

import httpx

from ml_backend.errors import TokenRefusedError
from ml_backend.i18n import say
from ml_backend.ops.doctor.results import Check, Observation, ok
from ml_backend.ops.doctor.targets import Connection

#: Label Studio says its version in milliseconds; what takes longer is overloaded or far away.
REACH_SECONDS = 5.0
#: From here on it is worth telling that a token will end.
SOON_SECONDS = 7 * 24 * 3600

_LEGACY = re.compile(r"[0-9a-f]{40}")
_MAKE_TOKEN = say(
    "In Label Studio, open Account & Settings → Personal Access Token, create one, set LABEL_STUDIO_API_KEY to it, and "
    "start the backend again."
)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says about itself.

    Attributes:
        kind: ``unknown`` is neither of Label Studio's two kinds, most often one that was not copied whole.
        expires: When it ends; ``None`` where it does not say.
    """

    kind: Literal["personal", "legacy", "access", "unknown"]
    expires: datetime | None = None


def read_token(token: str) -> Token:
    """Return what a token is, without asking anybody."""
    if _LEGACY.fullmatch(token):
        return Token("legacy")
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        kind: Literal["personal", "access"] = "access" if claims.get("token_type") == "access" else "personal"
        ends = claims.get("exp")
        return Token(kind, None if ends is None else datetime.fromtimestamp(ends, timezone.utc))
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError, OSError):
        return Token("unknown")


def look_at_address(link: Connection) -> Iterator[Observation]:
    """Ask Label Studio for its version, which needs no token."""
    url = link.settings.label_studio_url.rstrip("/")
    if not url:
        yield Observation(
            "error",
            say("No Label Studio is set, and none was started in RUN_DIR."),
            say("Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, or start everything with `make run`."),
        )
        return
    shown = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
    start = time.monotonic()
    try:
        answer = httpx.get(f"{url}/api/version/", timeout=REACH_SECONDS, follow_redirects=False)
    except httpx.TimeoutException:
        yield Observation(
            "error",
            say("Label Studio at {url} takes longer than {seconds:.0f} s to answer.", url=shown, seconds=REACH_SECONDS),
            say("See whether its process hangs or its machine is overloaded; start it again if it does not recover."),
        )
        return
    except (httpx.HTTPError, httpx.InvalidURL):
        yield Observation(
            "error",
            say("Label Studio at {url} does not answer.", url=shown),
            say("Start it, or set LABEL_STUDIO_URL to the address under which this machine reaches it."),
        )
        return
    milliseconds = 1000 * (time.monotonic() - start)
    if answer.is_redirect:
        target = answer.headers.get("location", "")
        yield Observation(
            "error",
            say("{url} redirects to {target}.", url=shown, target=target),
            say("Set LABEL_STUDIO_URL to the final address."),
        )
        return
    try:
        release = str(answer.json()["release"])
    except (ValueError, KeyError, TypeError):
        yield Observation(
            "error",
            say("A program other than Label Studio answers at {url} ({status}).", url=shown, status=answer.status_code),
            say("Set LABEL_STUDIO_URL to Label Studio's address, with its path prefix if it has one."),
        )
        return
    yield ok(
        "Label Studio {release} answers at {url} in {milliseconds:.0f} ms.",
        release=release,
        url=shown,
        milliseconds=milliseconds,
    )


def look_at_token(link: Connection) -> Iterator[Observation]:
    """Tell the token's kind and end, and have Label Studio say whose it is."""
    token = read_token(link.settings.label_studio_api_key.get_secret_value())
    now = datetime.now(timezone.utc)
    if token.kind == "unknown":
        yield Observation("error", say("LABEL_STUDIO_API_KEY is not a Label Studio token."), _MAKE_TOKEN)
        return
    if token.kind == "access":
        yield Observation(
            "error",
            say("LABEL_STUDIO_API_KEY is an access token, which expires after minutes."),
            _MAKE_TOKEN,
        )
        return
    if token.expires is not None and token.expires <= now:
        yield Observation(
            "error", say("The personal access token expired on {day:%Y-%m-%d}.", day=token.expires), _MAKE_TOKEN
        )
        return
    try:
        client = link.connect()
        try:
            user = client.whoami()
        finally:
            client.close()
    except TokenRefusedError:
        if token.kind == "legacy":
            yield Observation(
                "error",
                say("Label Studio refuses the legacy token; legacy tokens are off by default."),
                say(
                    "Use a personal access token (Account & Settings → Personal Access Token) as LABEL_STUDIO_API_KEY, "
                    "or have an owner switch legacy tokens on (Organization → API Tokens Settings)."
                ),
            )
        else:
            yield Observation(
                "error",
                say("Label Studio refuses the personal access token: it was revoked, or is another Label Studio's."),
                _MAKE_TOKEN,
            )
        return
    if token.kind == "legacy":
        yield ok("The legacy token of {email} is accepted.", email=user.email)
    elif token.expires is not None and (token.expires - now).total_seconds() < SOON_SECONDS:
        yield Observation(
            "warning",
            say("The personal access token of {email} expires on {day:%Y-%m-%d}.", email=user.email, day=token.expires),
            _MAKE_TOKEN,
        )
    else:
        yield ok("The personal access token of {email} is accepted.", email=user.email)


CONNECTION_CHECKS: tuple[Check[Connection], ...] = (
    Check("label-studio", say("Label Studio answers"), look_at_address),
    Check("token", say("Token"), look_at_token, needs=("label-studio",)),
)
