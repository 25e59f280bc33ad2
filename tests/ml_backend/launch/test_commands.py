import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ml_backend.launch import commands
from ml_backend.launch.credentials import new_credentials
from ml_backend.settings import Settings

MakeSettings = Callable[..., Settings]


def test_label_studio_hears_nothing_of_the_backends_settings(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings()
    for name in ("HOST", "PORT", "LABEL_STUDIO_PORT", "DATABASE_URL", "WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED", "true")
    environment = commands.label_studio_environment(settings, new_credentials())
    assert not {"HOST", "PORT", "LABEL_STUDIO_PORT", "DATABASE_URL", "WEBHOOK_SECRET"} & set(environment)
    assert environment["LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED"] == "true", "what is meant for it stays"


def test_label_studio_may_reach_the_backend_and_sends_nothing_out(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ML_BLOCK_LOCAL_IP", "true")
    environment = commands.label_studio_environment(make_settings(), new_credentials())
    assert environment["ML_BLOCK_LOCAL_IP"] == environment["SSRF_PROTECTION_ENABLED"] == "false"
    assert environment["COLLECT_ANALYTICS"] == environment["LATEST_VERSION_CHECK"] == "False"
    assert environment["SENTRY_DSN"] == environment["FRONTEND_SENTRY_DSN"] == ""


def test_label_studio_has_a_key_that_it_can_read_again_and_keeps_it(make_settings: MakeSettings) -> None:
    settings = make_settings()
    commands.give_secret_key(settings)
    file = commands.label_studio_folder(settings) / ".env"
    kept = file.read_text()
    assert re.fullmatch(r"SECRET_KEY=[\w-]{64}\n", kept), "nothing that could be taken for a variable or a quote"
    assert file.stat().st_mode & 0o777 == 0o600
    commands.give_secret_key(settings)
    assert file.read_text() == kept


def test_no_secret_stands_in_a_command_line(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings, credentials = make_settings(), new_credentials().with_api_key("a-token-of-label-studio")
    services = (
        commands.redis_service(settings, credentials),
        commands.label_studio_service(settings, credentials, tmp_path / "label-studio"),
        *commands.backend_services(settings, credentials),
    )
    secrets = (credentials.password, credentials.webhook_secret, credentials.redis_password, credentials.api_key)
    for service in services:
        assert not any(secret in " ".join(service.command) for secret in secrets)
        assert not any(secret in repr(service) for secret in secrets)


def test_a_redis_and_a_secret_that_were_set_win(make_settings: MakeSettings) -> None:
    credentials = new_credentials()
    assert credentials.redis_password in commands.redis_address(make_settings(), credentials)
    assert commands.webhook_secret(make_settings(), credentials) == credentials.webhook_secret
    chosen = make_settings(redis_url="redis://elsewhere:6379/1", webhook_secret="chosen")
    assert commands.redis_address(chosen, credentials) == "redis://elsewhere:6379/1"
    assert commands.webhook_secret(chosen, credentials) == "chosen"
