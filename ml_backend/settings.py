"""All settings, read once at start-up from the environment and an optional ``.env`` file.

Nothing else in the project reads the environment. A value that cannot be used stops the start and says which it is.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import Self

from active_learning.strategies import DEFAULT_STRATEGY, find_strategy
from model.document.decode_budget import DEFAULT_MEGAPIXELS
from model.errors import RecogniserError
from model.recognition.charset import charset_of

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
SHORTEST_TOKEN = 16
#: Held-out documents below which a gate would decide by chance.
LEAST_HELD_OUT = 2
_DRIVERLESS = re.compile(r"^postgres(ql)?://")
_HOST_NAME = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_WORK = frozenset({"sync", "scoring"})


class Settings(BaseSettings):
    """All settings of the backend. Every field is an environment variable of the same name, in capitals.

    Each block has its table, in this order, in ``docs/operations/settings.md``; what most people set comes first.

    Raises:
        pydantic.ValidationError: If a value is of the wrong type, out of range, or unsafe in combination.
    """

    # An empty value, as a Compose file or a form leaves it, is no value.
    # What is wrong with a value is said without it: it may be a secret.
    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # --- What most people set
    label_studio_url: str = Field(default="", description="Address of Label Studio. Empty: `make run` starts one.")
    label_studio_api_key: SecretStr = Field(
        default=SecretStr(""), description="Personal access token or legacy token of a Label Studio user."
    )
    label_studio_project: str = Field(
        default="Business cards",
        min_length=1,
        max_length=50,
        description="Title of the project that `make run` sets up.",
    )
    backend_url: str = Field(
        default="", description="How Label Studio reaches the backend. Empty: `http://127.0.0.1:PORT`."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on. Anything but loopback needs credentials.")
    port: int = Field(default=9090, ge=1, le=65535, description="Port to listen on.")
    basic_auth_user: str = Field(default="", description="User name that Label Studio must send. Empty: loopback only.")
    basic_auth_password: SecretStr = Field(default=SecretStr(""), description="Password that Label Studio must send.")
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Value of the `X-Webhook-Secret` header that `/webhook` demands."
    )
    api_token: SecretStr = Field(
        default=SecretStr(""),
        description="Token of the self-learning API and the panel, 16 characters or more. Empty: both stay closed.",
    )
    min_training_samples: int = Field(
        default=50, ge=1, description="Annotated documents before the first training run."
    )
    retrain_after: int = Field(
        default=25, ge=1, description="New, changed or deleted annotated documents before the next training run."
    )

    # --- Where things are kept
    run_dir: Path = Field(default=Path(".run"), description="Folder of everything that a running system writes.")
    models_dir: Path = Field(default=Path(".run/models"), description="Folder of trained model versions.")
    training_data_dir: Path = Field(
        default=Path(".run/training_data"), description="Folder of collected training samples."
    )
    database_url: str = Field(default="", description="SQLAlchemy address of the store. Empty: SQLite in RUN_DIR.")
    redis_url: str = Field(default="", description="Redis of the job queue. Empty: `make run` starts one.")
    mlflow_tracking_uri: str = Field(
        default="", description="MLflow's tracking address: a database or a server. Empty: SQLite in RUN_DIR."
    )
    keep_versions: int = Field(
        default=10,
        ge=1,
        description="Latest model versions of a project that are kept, besides those that serve or may serve again.",
    )
    keep_events_days: int = Field(
        default=90, ge=0, description="How long answered events are kept, in days; 0: for ever."
    )
    keep_pages_days: int = Field(
        default=365, ge=0, description="How long readings are kept that no task needs, in days; 0: for ever."
    )
    keep_old_predictions: bool = Field(
        default=False, description="Keep the predictions of versions that no longer serve."
    )

    # --- Label Studio
    label_studio_public_url: str = Field(
        default="",
        description="Other addresses of Label Studio, separated by commas, that tasks name images by. Loopback names "
        "and `LABEL_STUDIO_HOST` are recognised without.",
    )
    label_studio_port: int = Field(
        default=8080, ge=1, le=65535, description="Port of the Label Studio that `make run` starts."
    )
    label_studio_bind: str = Field(
        default="127.0.0.1", description="Address that the Label Studio of `make run` listens on."
    )
    sync_seconds: float = Field(
        default=300.0,
        ge=5,
        description="How often everything that was missed is fetched from Label Studio, in seconds.",
    )

    # --- Processes
    web_threads: int = Field(
        default=64, ge=2, le=256, description="Requests that one gunicorn process serves at a time."
    )
    web_workers: int = Field(default=1, ge=1, le=64, description="Gunicorn processes; each holds its own models.")
    worker_queues: str = Field(
        default="sync,scoring",
        description="Kinds of work that a worker does, the most urgent first, separated by commas: `sync`, `scoring`.",
    )
    training_device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="What the trainer trains on: a GPU if there is one, the CPU, or a GPU, without which it does not "
        "start.",
    )
    inference_threads: int = Field(
        default=0, ge=0, le=256, description="CPU threads a process uses for its models; 0: all cores."
    )
    redis_port: int = Field(default=6390, ge=1, le=65535, description="Port of the Redis that `make run` starts.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="How much is logged.")
    log_format: Literal["console", "json"] = Field(
        default="console", description="Log lines for people, or for collectors."
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port on which a worker shows its own metrics, without credentials; 0: none.",
    )

    # --- Requests, images and documents
    predict_budget_seconds: float = Field(
        default=80.0, gt=0, le=95, description="Time for one `/predict`; what does not fit is scored in the background."
    )
    max_upload_bytes: int = Field(
        default=40_000_000, ge=10_000, description="Largest request that the self-learning API takes, in bytes."
    )
    max_image_bytes: int = Field(default=30_000_000, ge=1_000, description="Largest image file, in bytes.")
    max_image_pixels: int = Field(default=60_000_000, ge=10_000, description="Largest image, in pixels.")
    decode_budget_megapixels: int = Field(
        default=DEFAULT_MEGAPIXELS,
        ge=1,
        description="Most pixels that a process holds decoded at a time, in millions; images wait for their place.",
    )
    max_document_bytes: int = Field(
        default=100_000_000, ge=1_000, description="Largest PDF or TIFF of several pages, in bytes."
    )
    max_pages: int = Field(default=200, ge=1, le=10_000, description="Most pages that a document may have.")
    document_dpi: int = Field(
        default=200,
        ge=72,
        le=600,
        description="Resolution that pages of a PDF are drawn at, in pixels per inch; large pages are drawn at less.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Hosts (`host` or `host:port`, separated by commas) that images are fetched from, besides "
        "Label Studio's own.",
    )
    trusted_hosts: str = Field(
        default="",
        description="Names, separated by commas, under which the panel, and what needs no credentials, is reached "
        "besides IP addresses, names without a dot, those ending in `.internal`, `.local` or `.svc`, and that in "
        "`BACKEND_URL`. `.example.com` means all names that end so.",
    )
    local_files_root: Path | None = Field(
        default=None,
        description="Folder that `/data/local-files/?d=` paths are read from directly. Empty: through Label Studio.",
    )
    fetch_timeout_seconds: float = Field(default=20.0, gt=0, le=90, description="Time for fetching one image.")

    # --- Models
    ocr_engine: Literal["paddleocr", "rapidocr"] = Field(default="paddleocr", description="OCR engine.")
    ocr_models_dir: Path | None = Field(
        default=None,
        description="Folder with `det/` and `rec/` model files. Empty: the PP-OCRv6 files of the rapidocr wheel.",
    )
    recogniser_languages: str = Field(
        default="latin,cyrillic",
        description="Alphabets that are read, separated by commas: `latin`, `cyrillic`, `kazakh`, `greek`, or "
        "`original` for all of PP-OCR's, Chinese and Japanese among them. Characters in corrections are added.",
    )
    extractor_dir: Path | None = Field(
        default=None,
        description="Folder of a LayoutLMv3 token classification checkpoint. Empty: the weights that ship.",
    )
    extractor_runtime: Literal["onnx", "torch"] = Field(
        default="onnx",
        description="What names the fields: ONNX Runtime, quicker on a CPU, or torch, which also takes over where a "
        "checkpoint's architecture is not that of the weights that ship.",
    )
    default_country: str = Field(
        default="",
        pattern="^([A-Z]{2})?$",
        description="Two letters of the country of telephone numbers that say none, where nothing on the card and no "
        "other card of the project tells it. Empty: they are not completed.",
    )

    # --- Training
    training_budget_seconds: float = Field(
        default=75.0,
        ge=5,
        le=86_400,
        description="The most time that one run may train the extractor, in seconds.",
    )
    recogniser_budget_seconds: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="Time that one run may train the recogniser, in seconds; 0: only the extractor is trained.",
    )
    recogniser_trains: Literal["head", "neck", "all"] = Field(
        default="head",
        description="Layers of the recogniser that are trained: its `head`, the `neck` below it too, or `all` (on "
        "a GPU, if there is one). The gate is the same for each.",
    )

    # --- Serving and the order of tasks
    model_poll_seconds: float = Field(
        default=3.0, gt=0, le=60, description="How often a serving process looks for a promoted version, in seconds."
    )
    loaded_projects: int = Field(
        default=8, ge=1, le=1000, description="Projects whose own model versions one process keeps in memory."
    )
    challenger_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of the tasks that a project's challenger pre-labels."
    )
    serve_both: bool = Field(
        default=False, description="Store the challenger's prediction beside the champion's, for every task."
    )
    active_learning_strategy: str = Field(
        default=DEFAULT_STRATEGY, description="Query strategy that orders the open tasks."
    )
    active_learning_control_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of the tasks that are drawn by chance, as a control group."
    )
    active_learning_fallback: bool = Field(
        default=False, description="Let chance order the tasks where active learning is measured not to win."
    )

    # --- Thresholds of the gates
    gate_margin: float = Field(
        default=0.02, ge=0, le=1, description="Loss of entity F1 that must be ruled out (95 %) before a promotion."
    )
    gate_field_margin: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Loss of F1 that no field with five true values may suffer, unless chance explains it.",
    )
    gate_forgetting_margin: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Loss of F1 that is allowed on unseen synthetic cards, in a project of cards.",
    )
    gate_min_documents: int = Field(
        default=10, ge=LEAST_HELD_OUT, description="Held-out documents without which nothing is promoted."
    )
    recogniser_gate_margin: float = Field(
        default=0.005, ge=0, le=1, description="Rise of the CER that must be ruled out (95 %) before a promotion."
    )
    recogniser_forgetting_margin: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Rise of the CER that is allowed on rendered lines; on ordinary ones twice that must be ruled out "
        "(95 %).",
    )
    recogniser_gate_min_lines: int = Field(
        default=20, ge=2, description="Held-out lines without which no recogniser is promoted."
    )

    # --- Thresholds of the recommendations
    confidence_threshold: float = Field(
        default=0.7, ge=0, le=1, description="A reading or a field with a lower confidence counts as doubtful."
    )
    very_low_confidence_threshold: float = Field(
        default=0.5, ge=0, le=1, description="A document with a lower average reading confidence is urgent."
    )
    classifier_confidence_threshold: float = Field(
        default=0.6, ge=0, le=1, description="A document with a lower average confidence of its fields is recommended."
    )
    disagreement_threshold: float = Field(
        default=0.3, ge=0, le=1, description="A committee with a higher disagreement counts as divided."
    )
    reading_margin_threshold: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Lines with a smaller top-2 margin of the text's probability count as ambiguous.",
    )
    low_block_share: float = Field(
        default=0.3, ge=0, le=1, description="A document with a larger share of lines of low confidence is recommended."
    )
    min_blocks: int = Field(default=3, ge=0, description="A document with fewer lines is recommended.")
    max_blocks: int = Field(default=30, ge=1, description="A document with more lines per page is recommended.")
    critical_fields: str = Field(
        default="NAME,PHONE,EMAIL",
        description="Fields that a document must have, unless a project has critical fields of its own.",
    )

    @model_validator(mode="after")
    def _refuse_unsafe_combinations(self) -> Self:
        if bool(self.basic_auth_user) != bool(self.basic_auth_password.get_secret_value()):
            raise ValueError("set BASIC_AUTH_USER and BASIC_AUTH_PASSWORD together, or neither")
        if not self.basic_auth_user and self.host not in LOOPBACK_HOSTS:
            raise ValueError(
                f"HOST={self.host} is reachable by others: set BASIC_AUTH_USER and BASIC_AUTH_PASSWORD, "
                "or HOST=127.0.0.1"
            )
        if 0 < len(self.api_token.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"API_TOKEN must have {SHORTEST_TOKEN} characters or more, so that nobody guesses it")
        if bool(self.label_studio_url) != bool(self.label_studio_api_key.get_secret_value()):
            raise ValueError("set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY together, or neither")
        if self.label_studio_url and urlsplit(self.label_studio_url).scheme not in {"http", "https"}:
            raise ValueError("LABEL_STUDIO_URL must begin with http:// or https://")
        if self.very_low_confidence_threshold > self.confidence_threshold:
            raise ValueError("VERY_LOW_CONFIDENCE_THRESHOLD must not lie above CONFIDENCE_THRESHOLD")
        if self.min_blocks > self.max_blocks:
            raise ValueError("MIN_BLOCKS must not lie above MAX_BLOCKS")
        if self.challenger_share and self.serve_both:
            raise ValueError("set CHALLENGER_SHARE or SERVE_BOTH: a task has its prediction from one, or from both")
        return self

    @field_validator("active_learning_strategy")
    @classmethod
    def _refuse_unknown_strategy(cls, value: str) -> str:
        return find_strategy(value).name

    @field_validator("label_studio_public_url")
    @classmethod
    def _refuse_no_addresses(cls, value: str) -> str:
        for address in _parts(value):
            try:
                parts = urlsplit(address)
                usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
                _ = parts.port
            except ValueError:
                usable = False
            # A path alone, which LABEL_STUDIO_HOST may be, names no address.
            if not usable and not address.startswith("/"):
                raise ValueError("give addresses that begin with http:// or https://, without a user name")
        return value

    @cached_property
    def label_studio_public_urls(self) -> tuple[str, ...]:
        """Other addresses of Label Studio, as they were given."""
        return tuple(address for address in _parts(self.label_studio_public_url) if not address.startswith("/"))

    @field_validator("trusted_hosts")
    @classmethod
    def _refuse_no_host_names(cls, value: str) -> str:
        if not all(_HOST_NAME.fullmatch(name) for name in _parts(value)):
            raise ValueError("give host names without a scheme, a port or a path, such as backend.example.com")
        return value

    @cached_property
    def trusted_host_names(self) -> tuple[str, ...]:
        """Names under which the backend is reached, in lower case; one that begins with a dot stands for all below."""
        return _parts(self.trusted_hosts)

    @field_validator("worker_queues")
    @classmethod
    def _refuse_unknown_work(cls, value: str) -> str:
        if not _parts(value) or not _WORK.issuperset(_parts(value)):
            raise ValueError(f"name one or more of {', '.join(sorted(_WORK))}; training is the trainer's")
        return value

    @cached_property
    def work(self) -> tuple[str, ...]:
        """Kinds of work that a worker does, see :data:`ml_backend.jobs.queue.WORK`; the most urgent first."""
        return _parts(self.worker_queues)

    @field_validator("recogniser_languages")
    @classmethod
    def _refuse_unknown_languages(cls, value: str) -> str:
        try:
            charset_of(_parts(value))
        except RecogniserError as error:
            raise ValueError(str(error)) from error
        return value

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Groups of characters that are read, see :data:`model.recognition.charset.GROUPS`."""
        return _parts(self.recogniser_languages)

    @cached_property
    def store_url(self) -> str:
        """The SQLAlchemy address of the store."""
        return _with_driver(self.database_url) or f"sqlite:///{(self.run_dir / 'store.sqlite3').absolute()}"

    @cached_property
    def tracking_uri(self) -> str:
        """MLflow's tracking URI."""
        return _with_driver(self.mlflow_tracking_uri) or f"sqlite:///{(self.run_dir / 'mlflow.sqlite3').absolute()}"

    @cached_property
    def queue_url(self) -> str:
        """The address of the job queue's Redis."""
        return self.redis_url or f"redis://127.0.0.1:{self.redis_port}/0"

    @cached_property
    def shared_metrics_dir(self) -> Path | None:
        """Folder in which several gunicorn processes add up their metrics; ``None`` if there is one process."""
        return (self.run_dir / "metrics").absolute() if self.web_workers > 1 else None

    @cached_property
    def public_url(self) -> str:
        """The address under which Label Studio reaches this backend."""
        return self.backend_url.rstrip("/") or f"http://127.0.0.1:{self.port}"

    @cached_property
    def folders(self) -> dict[str, Path]:
        """The folders that are written to, by the settings that name them."""
        names = ("run_dir", "models_dir", "training_data_dir")
        return {name: getattr(self, name).absolute() for name in names}

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Everything that must not be seen: secret settings, and the passwords within addresses."""
        values = [getattr(self, name) for name in type(self).model_fields]
        secrets = {value.get_secret_value() for value in values if isinstance(value, SecretStr)}
        secrets |= {form for value in values if isinstance(value, str) and "://" in value for form in _passwords(value)}
        return frozenset(secrets - {""})

    @cached_property
    def critical_field_names(self) -> tuple[str, ...]:
        """Fields that a document must have, in capitals."""
        return tuple(name.strip().upper() for name in self.critical_fields.split(",") if name.strip())

    @cached_property
    def image_hosts(self) -> frozenset[str]:
        """Host names, or ``host:port``, in lower case, that images may be fetched from besides Label Studio's own."""
        return frozenset(host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip())


def _passwords(address: str) -> tuple[str, ...]:
    """Return the password of an address, as written and as meant."""
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return ()
    return password, unquote(password)


def _with_driver(address: str) -> str:
    """Name the installed driver where a PostgreSQL address names none, as nearly all do."""
    return _DRIVERLESS.sub("postgresql+psycopg://", address)


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in value.split(",") if part.strip())
