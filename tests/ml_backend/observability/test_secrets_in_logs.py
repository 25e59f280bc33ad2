"""No secret stands in the log: not at DEBUG, not where something fails, and not because it was taken out at the end."""

import base64
import logging

import pytest
import requests
import structlog
from pydantic import ValidationError

from ml_backend.app import create_app
from ml_backend.errors import BackendError
from ml_backend.jobs.queue import JobQueue, QueueError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.observability.logs import configure_logging, get_logger, logging_config
from ml_backend.settings import Settings
from ml_backend.store.engine import StoreError
from ml_backend.store.events import Store
from model.errors import TrackingError
from model.registry.tracking import Tracking
from model.registry.versions import Registry
from tests.conftest import free_port
from tests.ml_backend.backend import ImageTable, batch, build_backend, task
from tests.ml_backend.predict.test_service import TextReader

SECRETS = {
    "label_studio_api_key": "key-of-label-studio-0",
    "basic_auth_password": "password of basic auth 1",
    "webhook_secret": "secret-of-webhooks-2",
    "api_token": "token-of-the-api-and-panel-3",
    "database": "password-of-the-database-4",
    "redis": "password-of-redis-5",
    "mlflow": "password-of-mlflow-6",
}


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def settings(make_settings):
    port = free_port()
    return make_settings(
        label_studio_url=f"http://127.0.0.1:{port}",
        label_studio_api_key=SECRETS["label_studio_api_key"],
        basic_auth_user="label-studio",
        basic_auth_password=SECRETS["basic_auth_password"],
        webhook_secret=SECRETS["webhook_secret"],
        api_token=SECRETS["api_token"],
        database_url=f"postgresql+psycopg://backend:{SECRETS['database']}@127.0.0.1:{port}/backend",
        redis_url=f"redis://:{SECRETS['redis']}@127.0.0.1:{port}/0",
        mlflow_tracking_uri=f"http://mlflow:{SECRETS['mlflow']}@127.0.0.1:{port}",
    )


def test_the_settings_know_all_their_secrets(settings):
    assert settings.secrets == frozenset(SECRETS.values())


def test_the_settings_show_no_secret_setting(settings):
    shown = repr(settings)
    for name in ("label_studio_api_key", "basic_auth_password", "webhook_secret", "api_token"):
        assert SECRETS[name] not in shown


def fail_everywhere(settings):
    """Have every part fail that has a secret, as it fails while the machine behind it is down."""
    log = get_logger("test")
    failures = {
        StoreError: lambda: Store(settings.store_url),
        QueueError: lambda: JobQueue.at(settings.queue_url).enqueue_sync(1),
        BackendError: lambda: LabelStudio(
            settings.label_studio_url, settings.label_studio_api_key.get_secret_value()
        ).project(1),
        TrackingError: lambda: Registry(Tracking(settings.tracking_uri, settings.models_dir)).champion(1),
    }
    for kind, work in failures.items():
        try:
            work()
        except kind:
            log.exception("failed", part=kind.__name__)
        else:
            raise AssertionError(f"{kind.__name__} was expected")


def call_everything(settings, make_settings, tmp_path):
    """Send requests with right and wrong credentials to a backend of which the parts work."""
    working = make_settings(**{name: SECRETS[name] for name in ("webhook_secret", "api_token")})
    images = ImageTable(a=b"Ada", odd=RuntimeError("unforeseen"))
    backend = build_backend(working, TextReader(), None, images)
    client = create_app(settings, backend.services).test_client()
    basic = ("label-studio", SECRETS["basic_auth_password"])
    assert client.post("/predict", json=batch([task(1, "a"), task(2, "odd")]), auth=basic).status_code == 200
    assert client.post("/predict", json=batch([task(1, "a")]), auth=("x", "y")).status_code == 401
    assert client.post("/predict", data=b"{", auth=basic).status_code == 400
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 2}}
    sent = {"X-Webhook-Secret": SECRETS["webhook_secret"]}
    assert client.post("/webhook", json=event, headers=sent).status_code == 201
    assert client.post("/webhook", json=event, headers={"X-Webhook-Secret": "wrong"}).status_code == 401
    assert client.get("/admin/", headers={"Cookie": f"token={SECRETS['api_token']}"}).status_code < 500
    assert client.post("/admin/login", data={"token": SECRETS["api_token"]}).status_code < 500
    assert client.get("/nowhere", headers={"Authorization": f"Bearer {SECRETS['api_token']}"}).status_code == 404


@pytest.mark.parametrize("style", ["console", "json"])
@pytest.mark.parametrize("redacted", [False, True], ids=["as written", "redacted"])
def test_no_secret_is_logged_where_things_work_and_where_they_fail(
    settings, make_settings, tmp_path, monkeypatch, capfd, style, redacted
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    configure_logging("DEBUG", style, settings.secrets if redacted else ())
    call_everything(settings, make_settings, tmp_path)
    fail_everywhere(settings)
    logged = "".join(capfd.readouterr())
    # The log is there, tracebacks among it.
    assert "task_failed_unexpectedly" in logged
    assert logged.count("Traceback") >= 4
    basic = base64.b64encode(f"label-studio:{SECRETS['basic_auth_password']}".encode()).decode()
    found = {name for name, secret in {**SECRETS, "basic": basic}.items() if secret in logged}
    # MLflow's own error quotes its address; nothing else needs to be taken out.
    assert found == (set() if redacted else {"mlflow"})


def test_an_error_of_mlflow_is_told_without_the_password_of_its_address(settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError) as told:
        Registry(Tracking(settings.tracking_uri, settings.models_dir)).champion(1)
    assert "127.0.0.1" in str(told.value)
    assert SECRETS["mlflow"] not in str(told.value)


@pytest.mark.parametrize("style", ["console", "json"])
def test_what_a_library_gives_away_is_taken_out(settings, capfd, style):
    configure_logging("DEBUG", style, settings.secrets)
    logging.getLogger("library").debug("connecting to %s", settings.database_url)
    try:
        raise requests.ConnectionError(f"no answer from {settings.redis_url}")
    except requests.ConnectionError:
        get_logger("own").exception("failed", headers={"Authorization": f"Token {SECRETS['label_studio_api_key']}"})
    logged = capfd.readouterr().err
    assert logged.count("***") == 3
    assert not any(secret in logged for secret in SECRETS.values())


def test_a_configuration_that_a_server_logs_shows_none(settings):
    shown = repr(logging_config("DEBUG", "json", settings.secrets))
    assert not any(secret in shown for secret in SECRETS.values())


def test_settings_that_cannot_be_used_are_refused_without_their_values(monkeypatch):
    monkeypatch.setenv("WEBHOOK_SECRET", SECRETS["webhook_secret"])
    monkeypatch.setenv("BASIC_AUTH_PASSWORD", SECRETS["basic_auth_password"])
    monkeypatch.setenv("PORT", SECRETS["api_token"])
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None)
    assert "port" in str(refused.value)
    assert not any(secret in str(refused.value) for secret in SECRETS.values())
