"""What ``make run`` has started, for commands that are run beside it: its Label Studio, its Redis, its secrets."""

from __future__ import annotations

import json

from pydantic import SecretStr

from ml_backend.settings import Settings


def connected(settings: Settings) -> Settings:
    """Return settings with the address and token that a launch in the same ``RUN_DIR`` has written down.

    Settings that name a Label Studio stay as they are, and so do those of a folder without a launch.
    """
    if settings.label_studio_url:
        return settings
    try:
        written = json.loads((settings.run_dir / "connection.json").read_text(encoding="utf-8"))
        url, token, backend = (str(written[key]) for key in ("label_studio_url", "api_key", "backend_url"))
    except (OSError, ValueError, KeyError, TypeError):
        return settings
    return settings.model_copy(
        update={
            "label_studio_url": url,
            "label_studio_api_key": SecretStr(token),
            "backend_url": settings.backend_url or backend,
        }
    )


def launched(settings: Settings) -> Settings:
    """Return settings as the parts have them that a launch in the same ``RUN_DIR`` has started.

    Besides Label Studio's address and token these are the Redis that it started, with its password, the secret of its
    webhooks, and the token of the self-learning API. What is set already stays as it is.
    """
    settings = connected(settings)
    try:
        written = json.loads((settings.run_dir / "secrets.json").read_text(encoding="utf-8"))
        password, secret = (str(written[key]) for key in ("redis_password", "webhook_secret"))
        token = str(written.get("api_token", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return settings
    return settings.model_copy(
        update={
            "redis_url": settings.redis_url or f"redis://:{password}@127.0.0.1:{settings.redis_port}/0",
            "webhook_secret": settings.webhook_secret
            if settings.webhook_secret.get_secret_value()
            else SecretStr(secret),
            "api_token": settings.api_token if settings.api_token.get_secret_value() else SecretStr(token),
        }
    )
