"""The random secrets of one running system, made once and kept where only their owner can read them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ml_backend.errors import LaunchError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the parts of the system prove themselves to each other with.

    Attributes:
        email: The login of the Label Studio that is started here.
        password: Its password.
        webhook_secret: Value of the header that Label Studio's webhook sends.
        redis_password: Password of the Redis that is started here.
        api_token: Token of the self-learning API and the panel; made where a file of an earlier release lacks it.
        api_key: Personal access token of that Label Studio; empty until it was made.
    """

    email: str
    password: str
    webhook_secret: str
    redis_password: str
    api_token: str
    api_key: str = ""

    def with_api_key(self, api_key: str) -> Credentials:
        """Return the same credentials with a new personal access token."""
        return replace(self, api_key=api_key)


def new_credentials() -> Credentials:
    """Return fresh random credentials."""
    return Credentials(
        email="admin@example.com",
        password=secrets.token_urlsafe(12),
        webhook_secret=secrets.token_urlsafe(32),
        redis_password=secrets.token_urlsafe(32),
        api_token=secrets.token_urlsafe(24),
    )


def load_credentials(path: Path) -> Credentials:
    """Read the credentials at ``path``, or make them there if there are none.

    Raises:
        LaunchError: If the file is there but is not what was written.
    """
    if not path.exists():
        made = new_credentials()
        save_credentials(path, made)
        return made
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
        is_older = "api_token" not in parsed
        if is_older:
            parsed["api_token"] = secrets.token_urlsafe(24)
        found = Credentials(**{field.name: str(parsed[field.name]) for field in fields(Credentials)})
    except (ValueError, KeyError, TypeError) as error:
        raise LaunchError(
            f"{path} is damaged.", f"Remove {path.parent} to start again (this also removes what was labelled there)."
        ) from error
    if is_older:
        save_credentials(path, found)
    return found


def save_credentials(path: Path, credentials: Credentials) -> None:
    """Write ``credentials`` so that only their owner can read them."""
    write_private(path, asdict(credentials))


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write ``content`` as JSON with mode 600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
