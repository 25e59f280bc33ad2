"""A backend on many machines, played on one: processes that share a database, Redis and an MLflow server, no folder.

Each machine has folders of its own for what it writes; only the folder of training data is shared, as is documented.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import requests
from redis import Redis
from redis.exceptions import RedisError

from ml_backend.projects.setup import BackendAddress
from ml_backend.settings import Settings
from tests.conftest import free_port
from tests.mlflow_server import start_mlflow, stop, wait_for_mlflow
from tests.postgres import Postgres, run_sql

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a secret of the cluster's webhooks"
API = ("-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()")
WORKER = ("-m", "ml_backend.cli.worker")
TRAINER = ("-m", "ml_backend.cli.trainer")
START_SECONDS = 400


class Cluster:
    """Starts, kills and starts again what runs.

    Args:
        folder: For all machines.
        label_studio: Address and token of a running Label Studio.
        settings: For all processes.
    """

    def __init__(self, folder: Path, label_studio: tuple[str, str], **settings: object) -> None:
        self._folder = folder
        self._database, self._redis_port, self._mlflow_port = Postgres(free_port()), free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        self._ports: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self.redis_url = f"redis://127.0.0.1:{self._redis_port}/0"
        self.mlflow_uri = f"http://127.0.0.1:{self._mlflow_port}"
        self.store_url = self._database.address.replace("/postgres", "/backend")
        self._common = {
            "DATABASE_URL": self.store_url,
            "REDIS_URL": self.redis_url,
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
            "TRAINING_DATA_DIR": str(folder / "training_data"),
            "LABEL_STUDIO_URL": label_studio[0],
            "LABEL_STUDIO_API_KEY": label_studio[1],
            "WEBHOOK_SECRET": SECRET,
            "INFERENCE_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        } | {name: str(value) for name, value in settings.items()}

    def start_servers(self) -> None:
        """Start PostgreSQL, Redis and MLflow."""
        self._database.start()
        run_sql(self._database.address, "CREATE DATABASE {}", "backend")
        run_sql(self._database.address, "CREATE DATABASE {}", "mlflow")
        self._start("redis", self._redis)
        self._start("mlflow", self._mlflow)
        self.wait_for("redis")
        self.wait_for("mlflow")

    def start(self, name: str, machine: str, command: Sequence[str], **settings: object) -> None:
        """Start a process on a machine."""
        own = {name: str(value) for name, value in settings.items()}
        if command is API:
            self._ports[name] = free_port()
            own["PORT"] = str(self._ports[name])
        environment = self.environment(machine) | own

        def run() -> subprocess.Popen[bytes]:
            folder = self._folder / machine
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{name}.log").open("ab") as log:
                return subprocess.Popen(
                    (sys.executable, *command),
                    cwd=folder,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

        self._start(name, run)

    def environment(self, machine: str) -> dict[str, str]:
        """Return the environment of a machine's processes."""
        ours = {name.upper() for name in Settings.model_fields}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        folder = self._folder / machine
        return inherited | self._common | {"RUN_DIR": str(folder / "run"), "MODELS_DIR": str(folder / "models")}

    def settings(self, machine: str) -> Settings:
        """Return the settings of a machine."""
        environment = {name.lower(): value for name, value in self.environment(machine).items()}
        return Settings(_env_file=None, **{k: v for k, v in environment.items() if k in Settings.model_fields})

    def address(self, name: str) -> BackendAddress:
        """Return where Label Studio reaches an API process."""
        return BackendAddress(url=f"http://127.0.0.1:{self._ports[name]}", webhook_secret=SECRET)

    def kill(self, name: str) -> None:
        """Kill a process outright, and all that it has started."""
        if name == "postgres":
            self._database.kill()
            return
        process = self._processes.pop(name)
        started = _started_by(process)
        stop(process, signal.SIGKILL)
        for child in started:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    @contextmanager
    def held(self, names: Sequence[str]) -> Iterator[None]:
        """Hold still those of the processes that run, as machines that hang; let them go on in the end."""
        running = [process for name in names if (process := self._processes.get(name)) is not None]
        held = [each for process in running for each in (psutil.Process(process.pid), *_started_by(process))]
        try:
            for each in held:
                with suppress(psutil.NoSuchProcess):
                    each.suspend()
            yield
        finally:
            for each in held:
                # It may have been killed meanwhile.
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    def again(self, name: str) -> None:
        """Start what was killed, as whatever supervises a machine does."""
        if name == "postgres":
            self._database.start()
        else:
            self._start(name, self._commands[name])

    def wait_for(self, name: str, seconds: float = START_SECONDS) -> None:
        """Wait until a server or an API process answers, or a worker waits for work."""
        if name == "mlflow":
            wait_for_mlflow(self._mlflow_port, self._processes[name])
            return
        ready = (
            self._pings if name == "redis" else lambda: self._healthy(name) if name in self._ports else self._idle(name)
        )
        deadline = time.monotonic() + seconds
        while not ready():
            if self._processes[name].poll() is not None:
                raise RuntimeError(f"{name} has ended: {self.log(name)[-3000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not ready: {self.log(name)[-3000:]}")
            time.sleep(0.3)

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return "".join(path.read_text(errors="replace") for path in self._folder.glob(f"*/{name}.log"))

    def close(self) -> None:
        """End everything."""
        for name in reversed(list(self._processes)):
            stop(self._processes.pop(name), signal.SIGKILL)
        self._database.close()

    def _start(self, name: str, command: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._commands[name] = command
        self._written[name] = len(self.log(name))
        self._processes[name] = command()

    def _redis(self) -> subprocess.Popen[bytes]:
        folder = self._folder / "servers" / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--port", str(self._redis_port), "--bind", "127.0.0.1", "--dir", str(folder))
        kept = ("--appendonly", "yes", "--save", "")
        executable = shutil.which("redis-server") or "valkey-server"
        return subprocess.Popen((executable, *options, *kept), stdout=subprocess.DEVNULL, start_new_session=True)

    def _mlflow(self) -> subprocess.Popen[bytes]:
        store = self._database.address.replace("/postgres", "/mlflow")
        return start_mlflow(self._folder / "servers" / "mlflow", self._mlflow_port, store)

    def _pings(self) -> bool:
        try:
            with Redis.from_url(self.redis_url) as connection:
                return bool(connection.ping())
        except RedisError:
            return False

    def _healthy(self, name: str) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self._ports[name]}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def _idle(self, name: str) -> bool:
        ready = "trainer_ready" if name.startswith("trainer") else "worker_ready"
        return ready in self.log(name)[self._written[name] :]


def _started_by(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what a process has started: RQ's workers do each job in a session of its own."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextmanager
def cluster(folder: Path, label_studio: tuple[str, str], **settings: object) -> Iterator[Cluster]:
    """Give a cluster whose servers run, and end it."""
    made = Cluster(folder, label_studio, **settings)
    try:
        made.start_servers()
        yield made
    finally:
        made.close()


@contextmanager
def label_studio(folder: Path, *, environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """Run a Label Studio by itself; its address and a token."""
    from ml_backend.launch.commands import label_studio_service
    from ml_backend.launch.credentials import load_credentials
    from ml_backend.launch.environment import DEFAULT_FOLDER
    from ml_backend.launch.label_studio_login import make_access_token

    settings = Settings(_env_file=None, run_dir=folder, label_studio_port=free_port())
    credentials = load_credentials(folder / "secrets.json")
    service = label_studio_service(settings, credentials, DEFAULT_FOLDER / "bin" / "label-studio")
    address = f"http://127.0.0.1:{settings.label_studio_port}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "label-studio.log").open("ab") as log:
        process = subprocess.Popen(
            service.command,
            env={**service.environment, **(environment or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if requests.get(f"{address}/health", timeout=5).ok:
                    break
            except requests.RequestException:
                pass
            assert process.poll() is None, "Label Studio has ended"
            assert time.monotonic() < deadline, "Label Studio does not answer"
            time.sleep(0.5)
        token = make_access_token(address, email=credentials.email, password=credentials.password)
        assert token is not None
        yield address, token
    finally:
        stop(process)
