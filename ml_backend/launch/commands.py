"""What is started, with which arguments and in which environment."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from ml_backend.launch.credentials import Credentials
from ml_backend.launch.redis_server import find_redis, write_redis_config
from ml_backend.launch.supervisor import Service
from ml_backend.settings import Settings

#: What serves the API; its configuration comes out of the settings.
SERVER = ("-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()")


def redis_service(settings: Settings, credentials: Credentials) -> Service:
    """Return the Redis of the job queue, kept in ``RUN_DIR/redis``.

    Raises:
        LaunchError: If this machine has none.
    """
    config = write_redis_config(
        settings.run_dir / "redis", port=settings.redis_port, password=credentials.redis_password
    )
    return Service("redis", (str(find_redis()), str(config)), dict(os.environ))


def redis_address(settings: Settings, credentials: Credentials) -> str:
    """Return the address of the job queue's Redis, with its password."""
    return settings.redis_url or f"redis://:{credentials.redis_password}@127.0.0.1:{settings.redis_port}/0"


def label_studio_service(settings: Settings, credentials: Credentials, executable: Path) -> Service:
    """Return a Label Studio that can reach a backend on this machine."""
    command = (
        str(executable),
        "start",
        "--no-browser",
        "--internal-host",
        settings.label_studio_bind,
        "--port",
        str(settings.label_studio_port),
    )
    return Service("label-studio", command, label_studio_environment(settings, credentials))


def label_studio_environment(settings: Settings, credentials: Credentials) -> dict[str, str]:
    """Return the environment of Label Studio.

    It reads many variables, with and without ``LABEL_STUDIO_`` before their names, among them ``HOST`` and ``PORT``:
    none that is meant for the backend may reach it.
    """
    ours = {name.upper() for name in Settings.model_fields} | {"PYTHONPATH", "PYTHONHOME"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return inherited | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(label_studio_folder(settings)),
        "LABEL_STUDIO_USERNAME": credentials.email,
        "LABEL_STUDIO_PASSWORD": credentials.password,
        # Without both it refuses a backend on a private address, and the second also governs webhooks.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        # Nobody but the person who started it gets an account.
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        # Nothing goes out: no statistics, no error reports, no question for a newer version.
        "COLLECT_ANALYTICS": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "False",
    }


def give_secret_key(settings: Settings) -> None:
    """Give Label Studio the key that it signs tokens with, unless it has one.

    One that it makes by itself may begin with "$", as one in fifty does. In its own file it takes that for the name of
    a variable, makes another key at its next start, and no token is valid any more.
    """
    file = label_studio_folder(settings) / ".env"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"SECRET_KEY={secrets.token_urlsafe(48)}\n", encoding="utf-8")


def label_studio_folder(settings: Settings) -> Path:
    """Return the folder of Label Studio's own files."""
    return (settings.run_dir / "label-studio").absolute()


def backend_services(settings: Settings, credentials: Credentials) -> tuple[Service, Service, Service]:
    """Return the web server, the worker and the trainer; all wait for Label Studio's address and token."""
    environment = _backend_environment(settings, credentials)
    return (
        Service("backend", (sys.executable, *SERVER), environment, gated=True),
        Service("worker", (sys.executable, "-m", "ml_backend.cli.worker"), environment, gated=True),
        Service("trainer", (sys.executable, "-m", "ml_backend.cli.trainer"), environment, gated=True),
    )


def webhook_secret(settings: Settings, credentials: Credentials) -> str:
    """Return the secret of the webhook: the one set, else the one made for this folder."""
    return settings.webhook_secret.get_secret_value() or credentials.webhook_secret


def api_token(settings: Settings, credentials: Credentials) -> str:
    """Return the token of the self-learning API and the panel: the one set, else the one made for this folder."""
    return settings.api_token.get_secret_value() or credentials.api_token


def _backend_environment(settings: Settings, credentials: Credentials) -> Mapping[str, str]:
    return {
        **os.environ,
        "REDIS_URL": redis_address(settings, credentials),
        "WEBHOOK_SECRET": webhook_secret(settings, credentials),
        "API_TOKEN": api_token(settings, credentials),
        "PYTHONUNBUFFERED": "1",
    }
