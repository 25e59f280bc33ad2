"""From nothing to pre-labelled documents in Label Studio: what ``make run`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
from redis import Redis
from redis.exceptions import RedisError

from ml_backend.errors import BackendError, LaunchError, NotFoundError, TokenRefusedError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.templates import business_cards_config
from ml_backend.launch import commands
from ml_backend.launch.business_cards import DEMONSTRATION_CARDS
from ml_backend.launch.console import Console
from ml_backend.launch.credentials import Credentials, load_credentials, save_credentials, write_private
from ml_backend.launch.environment import DEFAULT_FOLDER, ensure_label_studio
from ml_backend.launch.label_studio_login import make_access_token, make_access_token_in_database
from ml_backend.launch.ports import check_port
from ml_backend.launch.supervisor import Service, Supervisor
from ml_backend.launch.waiting import wait_until
from ml_backend.ops.health import own_address, reachable
from ml_backend.ops.run_folder import locked, stop_leftovers
from ml_backend.ops.using import using_data
from ml_backend.projects.setup import BackendAddress, ProjectPlan, SetupReport, ensure_project
from ml_backend.settings import Settings

# A request of this launch may wait for four documents to be read on a slow machine.
_REQUEST_SECONDS = 120.0


def bring_up(
    settings: Settings,
    console: Console,
    *,
    images: Path = DEMONSTRATION_CARDS,
    label_studio_venv: Path = DEFAULT_FOLDER,
) -> int:
    """Bring the system up and keep it running until Ctrl-C.

    Args:
        settings: Ports, folders, and Label Studio's address and token where one runs already.
        console: Where the person sees what happens.
        images: Folder of the images that are imported into a new project.
        label_studio_venv: Environment of the Label Studio that is started.

    Returns:
        An exit status: 0 after Ctrl-C, 1 if something went wrong, which is then on the console.
    """
    try:
        with locked(settings.run_dir), using_data(settings, "make run"):
            return _Launch(settings, console, images, label_studio_venv).run()
    except BackendError as error:
        console.write(str(error))
        return 1
    except KeyboardInterrupt:
        console.write("Stopped.")
        return 0


class _Launch:
    """One launch: what its steps share."""

    def __init__(self, settings: Settings, console: Console, images: Path, label_studio_venv: Path) -> None:
        self._settings = settings
        self._console = console
        self._images = images
        self._venv = label_studio_venv
        self._run_dir = settings.run_dir
        self._external = bool(settings.label_studio_url)
        own = f"http://{reachable(settings.label_studio_bind)}:{settings.label_studio_port}"
        self._url = settings.label_studio_url.rstrip("/") or own
        self._executable = Path()

    def run(self) -> int:
        if names := stop_leftovers(self._run_dir):
            self._console.say(f"Stopped what an earlier launch had left running: {', '.join(names)}")
        (self._run_dir / "connection.json").unlink(missing_ok=True)
        self._credentials = load_credentials(self._run_dir / "secrets.json")
        services = self._prepare()
        self._supervisor = Supervisor(services, self._run_dir, self._console)
        self._console.say(f"Starting {', '.join(service.name for service in services)}; logs in {self._run_dir}/logs")
        return self._supervisor.run(self._set_up)

    def _prepare(self) -> Sequence[Service]:
        """Look for everything that could go wrong before anything is started."""
        settings = self._settings
        services: list[Service] = []
        if settings.redis_url:
            if not self._redis_answers():
                raise LaunchError(
                    "The Redis that REDIS_URL names does not answer.",
                    "Start it, or unset REDIS_URL to have one started.",
                )
        else:
            check_port(settings.redis_port, host="127.0.0.1", what="Redis", setting="REDIS_PORT")
            services.append(commands.redis_service(settings, self._credentials))
        check_port(settings.port, host=settings.host, what="the backend", setting="PORT")
        if self._external:
            client = self._client(settings.label_studio_api_key.get_secret_value())
            self._console.say(f"Using the Label Studio at {self._url} as {client.whoami().email}")
        else:
            check_port(
                settings.label_studio_port,
                host=settings.label_studio_bind,
                what="Label Studio",
                setting="LABEL_STUDIO_PORT",
            )
            self._executable = ensure_label_studio(self._venv, self._console)
            commands.give_secret_key(settings)
            services.append(commands.label_studio_service(settings, self._credentials, self._executable))
        return (*services, *commands.backend_services(settings, self._credentials))

    def _set_up(self) -> None:
        """Wait for each part and let the next one start; runs beside the services."""
        self._wait("redis", self._redis_answers, "Redis", 30)
        if self._external:
            key = self._settings.label_studio_api_key.get_secret_value()
            self._open_gate(key)
        else:
            key = self._credentials.api_key
            if key:
                # The token of an earlier launch: backend and Label Studio load at the same time.
                self._open_gate(key)
            self._wait("label-studio", self._label_studio_answers, "Label Studio", 600)
            self._console.say("Label Studio answers")
            if not key:
                key = self._new_key()
                self._open_gate(key)
        client = self._client(key)
        try:
            client.whoami()
        except TokenRefusedError:
            if self._external:
                raise
            self._keep(self._credentials.with_api_key(""))
            raise LaunchError(
                "Label Studio refuses the access token of the last launch.", "Start again: a new one will be made."
            ) from None
        self._wait("backend", self._backend_answers, "the backend", 600)
        self._console.say("The backend has loaded its models")
        report = self._ensure_project(client)
        client.close()
        self._announce(key, report)

    def _ensure_project(self, client: LabelStudio) -> SetupReport:
        settings = self._settings
        known = self._known_project(client)
        plan = ProjectPlan(
            title=settings.label_studio_project,
            label_config=business_cards_config(),
            project_id=known,
            # Only once: a demonstration card that somebody deleted stays away.
            images=() if known else sorted(self._images.glob("*.jpg")),
        )
        backend = BackendAddress(
            url=settings.public_url,
            user=settings.basic_auth_user,
            password=settings.basic_auth_password.get_secret_value(),
            webhook_secret=commands.webhook_secret(settings, self._credentials),
        )
        report = ensure_project(client, plan, backend, progress=self._console.progress)
        for change in report.changes:
            self._console.say(change[0].upper() + change[1:])
        write_private(self._run_dir / "project.json", {"label_studio_url": self._url, "project_id": report.project_id})
        return report

    def _known_project(self, client: LabelStudio) -> int | None:
        """Return the project that an earlier launch finished, unless it is gone or belongs to another Label Studio."""
        try:
            kept = json.loads((self._run_dir / "project.json").read_text(encoding="utf-8"))
            if kept["label_studio_url"] != self._url:
                return None
            return client.project(int(kept["project_id"])).id
        except (OSError, ValueError, KeyError, TypeError, NotFoundError):
            return None

    def _announce(self, key: str, report: SetupReport) -> None:
        local = not self._external
        connection = {
            "label_studio_url": self._url,
            "email": self._credentials.email if local else "",
            "password": self._credentials.password if local else "",
            "api_key": key,
            "backend_url": self._settings.public_url,
            "project_id": report.project_id,
        }
        write_private(self._run_dir / "connection.json", connection)
        say = self._console.write
        self._console.say(f"Ready: {report.predicted} of {report.tasks} documents are pre-labelled")
        say("")
        say(f"  Label Studio  {self._url}/projects/{report.project_id}/data")
        if local:
            say(f"  Login         {self._credentials.email}")
            say(f"  Password      {self._credentials.password}")
        say(f"  Backend       {self._settings.public_url}")
        say(f"  Panel         {self._settings.public_url}/admin")
        if not self._settings.api_token.get_secret_value():
            say(f"  Token         api_token in {self._run_dir / 'secrets.json'}")
        say("")
        say("Ctrl-C stops everything; the same command brings it back as it was.")

    def _new_key(self) -> str:
        credentials = self._credentials
        key = make_access_token(self._url, email=credentials.email, password=credentials.password)
        if key is None:
            environment = commands.label_studio_environment(self._settings, credentials)
            key = make_access_token_in_database(self._executable, environment)
        self._keep(credentials.with_api_key(key))
        return key

    def _keep(self, credentials: Credentials) -> None:
        self._credentials = credentials
        save_credentials(self._run_dir / "secrets.json", credentials)

    def _open_gate(self, key: str) -> None:
        self._supervisor.open_gate({"LABEL_STUDIO_URL": self._url, "LABEL_STUDIO_API_KEY": key})

    def _client(self, key: str) -> LabelStudio:
        return LabelStudio(self._url, key, timeout=_REQUEST_SECONDS)

    def _wait(self, service: str, ready: Callable[[], bool], what: str, seconds: float) -> None:
        hint = f"See {self._supervisor.log_of(service)}"
        wait_until(ready, what=what, seconds=seconds, console=self._console, hint=hint)

    def _redis_answers(self) -> bool:
        address = commands.redis_address(self._settings, self._credentials)
        try:
            with Redis.from_url(address, socket_connect_timeout=2, socket_timeout=2) as connection:
                return bool(connection.ping())
        except (RedisError, ValueError):
            return False

    def _label_studio_answers(self) -> bool:
        return _answers(f"{self._url}/health")

    def _backend_answers(self) -> bool:
        settings = self._settings
        auth = (settings.basic_auth_user, settings.basic_auth_password.get_secret_value())
        return _answers(f"{own_address(settings)}/health", auth if settings.basic_auth_user else None)


def _answers(url: str, auth: tuple[str, str] | None = None) -> bool:
    try:
        return requests.get(url, auth=auth, timeout=5).ok
    except requests.RequestException:
        return False
