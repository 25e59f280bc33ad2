"""Settings come from the environment, once, and refuse what is unsafe."""

import pytest
from pydantic import ValidationError

from ml_backend.settings import Settings

PAIRS = [
    ("LABEL_STUDIO_URL", "http://studio:8080"),
    ("LABEL_STUDIO_API_KEY", "token"),
    ("BASIC_AUTH_USER", "user"),
    ("BASIC_AUTH_PASSWORD", "password"),
]


def test_the_defaults_are_usable_and_listen_on_loopback_only(make_settings):
    settings = make_settings()
    assert settings.host == "127.0.0.1"
    assert settings.store_url.startswith("sqlite:////")
    assert settings.queue_url == "redis://127.0.0.1:6390/0"
    assert settings.public_url == "http://127.0.0.1:9090"
    assert (settings.min_training_samples, settings.confidence_threshold, settings.disagreement_threshold) == (
        50,
        0.7,
        0.3,
    )


def test_values_are_read_from_the_environment_by_their_names(monkeypatch, make_settings):
    make_settings()
    for name, value in {
        "LABEL_STUDIO_URL": "https://studio.example/ls/",
        "LABEL_STUDIO_API_KEY": "token",
        "MODELS_DIR": "/models",
        "TRAINING_DATA_DIR": "/data",
        "MIN_TRAINING_SAMPLES": "7",
        "CONFIDENCE_THRESHOLD": "0.5",
        "DISAGREEMENT_THRESHOLD": "0.25",
        "REDIS_URL": "redis://queue:6379/1",
        "DATABASE_URL": "postgresql+psycopg://db/backend",
        "ALLOWED_HOSTS": "Images.example, cdn.example:8443 ,",
        "BACKEND_URL": "http://backend:9090/",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.label_studio_api_key.get_secret_value() == "token"
    assert (str(settings.models_dir), str(settings.training_data_dir)) == ("/models", "/data")
    assert (settings.min_training_samples, settings.confidence_threshold) == (7, 0.5)
    assert settings.disagreement_threshold == 0.25
    assert settings.queue_url == "redis://queue:6379/1"
    assert settings.store_url == "postgresql+psycopg://db/backend"
    assert settings.image_hosts == {"images.example", "cdn.example:8443"}
    assert settings.public_url == "http://backend:9090"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_without_a_driver_means_the_one_that_is_installed(make_settings, scheme):
    settings = make_settings(database_url=f"{scheme}://u:p@db/backend", mlflow_tracking_uri=f"{scheme}://db/mlflow")
    assert settings.store_url == "postgresql+psycopg://u:p@db/backend"
    assert settings.tracking_uri == "postgresql+psycopg://db/mlflow"


@pytest.mark.parametrize("work", ["training", "sync,mining", ","])
def test_work_that_no_worker_does_is_refused(make_settings, work):
    with pytest.raises(ValidationError, match="training is the trainer's"):
        make_settings(worker_queues=work)


def test_values_are_read_from_a_file_and_the_environment_wins(monkeypatch, make_settings, tmp_path):
    make_settings()
    file = tmp_path / ".env"
    file.write_text("PORT=9191\nWEB_THREADS=3\nUNKNOWN=1\n")
    monkeypatch.setenv("WEB_THREADS", "5")
    settings = Settings(_env_file=file)
    assert (settings.port, settings.web_threads) == (9191, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 0),
        ("predict_budget_seconds", 99),
        ("ocr_engine", "tesseract"),
        ("confidence_threshold", 1.1),
        ("min_training_samples", 0),
        ("max_image_bytes", "much"),
        ("log_level", "LOUD"),
    ],
)
def test_a_value_out_of_range_stops_the_start_and_is_named(make_settings, name, value):
    with pytest.raises(ValidationError, match=name):
        make_settings(**{name: value})


@pytest.mark.parametrize(("name", "value"), PAIRS)
def test_what_belongs_together_must_be_set_together(make_settings, name, value):
    with pytest.raises(ValidationError, match="together"):
        make_settings(**{name.lower(): value})


def test_an_address_that_others_reach_needs_credentials(make_settings):
    with pytest.raises(ValidationError, match="BASIC_AUTH_USER"):
        make_settings(host="0.0.0.0")
    assert make_settings(host="0.0.0.0", basic_auth_user="user", basic_auth_password="password").host == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_none(make_settings, host):
    assert make_settings(host=host).host == host


def test_an_address_of_label_studio_needs_its_scheme(make_settings):
    with pytest.raises(ValidationError, match="LABEL_STUDIO_URL"):
        make_settings(label_studio_url="studio:8080", label_studio_api_key="token")


def test_secrets_do_not_show(make_settings):
    settings = make_settings(
        label_studio_url="http://studio",
        label_studio_api_key="hush",
        basic_auth_user="user",
        basic_auth_password="hush",
        webhook_secret="hush",
    )
    assert "hush" not in f"{settings} {settings!r}"


def test_several_processes_share_their_metrics_in_the_run_folder(make_settings):
    assert make_settings().shared_metrics_dir is None
    settings = make_settings(web_workers=2)
    assert settings.shared_metrics_dir == (settings.run_dir / "metrics").absolute()


def test_every_setting_says_what_it_is_for():
    assert all(field.description for field in Settings.model_fields.values())


def test_an_empty_value_is_no_value(monkeypatch):
    monkeypatch.setenv("EXTRACTOR_DIR", "")
    monkeypatch.setenv("PORT", "")

    settings = Settings(_env_file=None)

    assert settings.extractor_dir is None
    assert settings.port == 9090


def test_a_token_that_could_be_guessed_is_refused(make_settings):
    with pytest.raises(ValidationError, match="API_TOKEN must have 16"):
        make_settings(api_token="secret")
    assert make_settings(api_token="a" * 16).api_token.get_secret_value() == "a" * 16


def test_other_addresses_of_label_studio_are_a_list(make_settings):
    given = " https://labels.example.com/ls, http://localhost:8080 ,/ls"
    assert make_settings(label_studio_public_url=given).label_studio_public_urls == (
        "https://labels.example.com/ls",
        "http://localhost:8080",
    )


@pytest.mark.parametrize(
    "address", ["labels.example.com", "ftp://a", "http://", "http://u:p@a", "http://a:x", "http://[a"]
)
def test_what_is_no_address_of_label_studio_is_refused(make_settings, address):
    with pytest.raises(ValidationError, match="http://"):
        make_settings(label_studio_public_url=f"https://labels.example.com,{address}")
