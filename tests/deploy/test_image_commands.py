"""The very commands of the image, by hand: its variables and no others, number 1, not root, and nothing writable."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from ml_backend.launch.env_file import write_env_file
from tests.conftest import free_port
from tests.deploy.files import ROOT, compose, image
from tests.deploy.isolation import USER, Container, isolates
from tests.postgres import find_postgres, run_sql

pytestmark = [
    pytest.mark.skipif(not isolates(), reason="this machine lets its user make no namespaces (unshare)"),
    pytest.mark.timeout(600),
]

ROLES = ("api", "worker", "trainer")
START_SECONDS = 400

MakeContainer = Callable[[str], Container]


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest) -> str:
    """The address of an empty store in PostgreSQL, as Compose has it; nothing where this machine has none."""
    if find_postgres() is None:
        return ""
    server: str = request.getfixturevalue("postgres_server")
    run_sql(server, "CREATE DATABASE {}", "image")
    return server.replace("/postgres", "/image")


@pytest.fixture(scope="module")
def make_container(tmp_path_factory: pytest.TempPathFactory, redis_server: str, store: str) -> Iterator[MakeContainer]:
    """Make containers of Compose's services, which share their volumes and its settings."""
    folder = tmp_path_factory.mktemp("image")
    write_env_file(folder / ".env")
    elsewhere = {
        "REDIS_URL": redis_server,
        "DATABASE_URL": store or f"sqlite:///{folder / 'run' / 'store.sqlite3'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'run' / 'mlflow.sqlite3'}",
        "LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}",
        "LABEL_STUDIO_API_KEY": "nobody asks for it",
        "INFERENCE_THREADS": "1",
    }
    # The engine that is quickest to load.
    quick = {"OCR_ENGINE": "rapidocr", "PORT": str(free_port())}
    services = compose(folder / ".env", environment=elsewhere)["services"]
    made = image()
    volumes = {name: folder / Path(name).name for name in made.folders}
    for path in volumes.values():
        path.mkdir()

    def environment(service: str, temporary: Path) -> dict[str, str]:
        given = {**made.environment, **services[service]["environment"], **quick, "TMPDIR": str(temporary)}
        moved = {name: str(volumes.get(value, value)) for name, value in given.items()}
        # The image's Python and the image's /app.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return moved | {"PATH": path, "HOME": str(temporary), "PYTHONPATH": str(ROOT)}

    with ExitStack() as stack:

        def make(service: str) -> Container:
            name = f"{service}-{len(list(folder.iterdir()))}"
            temporary = folder / f"tmp-{name}"
            temporary.mkdir()
            log = folder / f"{name}.log"
            container = Container(name, environment(service, temporary), [*volumes.values(), temporary], temporary, log)
            stack.callback(container.kill)
            return container

        yield make


def command(*words: str) -> list[str]:
    return [*image().entrypoint, *words]


@pytest.fixture(scope="module")
def roles(make_container: MakeContainer) -> dict[str, Container]:
    """All roles, started as Compose does: one after the store was made, then all at a time."""
    migrate = make_container("migrate")
    assert migrate.run(command("migrate")) == 0, migrate.log.read_text()
    containers = {role: make_container(role) for role in ROLES}
    for role, container in containers.items():
        container.start(command(role))
    return containers


def wait_until_healthy(container: Container) -> str:
    """Wait for what a role logs when it is ready, which costs nothing, and then for its health check."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert container.outer is not None
        assert container.outer.poll() is None, container.log.read_text()
        assert time.monotonic() < deadline, container.log.read_text()
        if "_ready" in container.log.read_text():
            done = container.execute(image().health)
            if done.returncode == 0:
                return done.stdout.strip()
        time.sleep(0.5)


def test_each_role_becomes_healthy_and_says_so(roles):
    said = {role: wait_until_healthy(container) for role, container in roles.items()}
    assert said == {
        "api": "The API answers.",
        "worker": "The worker is alive.",
        "trainer": "The trainer is alive.",
    }


def test_nobody_is_root_and_nothing_but_the_volumes_can_be_written(roles):
    program = "import os; print(os.getuid(), os.getpid() > 1, open('/proc/self/status').read())"
    for container in roles.values():
        said = container.execute(["python", "-c", program]).stdout
        assert said.startswith(f"{USER} True")
        assert re.search(r"CapEff:\s+0+\n", said)
        assert container.execute(["python", "-c", f"open({str(ROOT / 'new')!r}, 'w')"]).returncode != 0
    assert not (ROOT / "new").exists()


def test_the_api_answers_who_knows_the_password_and_nobody_else(roles):
    environment = roles["api"].environment
    url = f"http://127.0.0.1:{environment['PORT']}/health"
    user, password = environment["BASIC_AUTH_USER"], environment["BASIC_AUTH_PASSWORD"]
    assert requests.get(url, auth=(user, password), timeout=10).json()["status"] == "UP"
    assert requests.get(url, timeout=10).status_code == 401


def test_what_a_role_logs_is_for_collectors_and_has_no_secret(roles):
    for role, container in roles.items():
        log = container.log.read_text()
        assert log.strip(), role
        assert all(line.startswith("{") for line in log.splitlines()), log
        for name, value in container.environment.items():
            if name.endswith(("PASSWORD", "SECRET", "TOKEN")):
                assert value not in log, name


def test_a_command_that_runs_once_ends_with_what_it_found(make_container, roles):
    once = make_container("api")
    assert once.run(command("rescore", "3")) == 0
    assert "project 3" in once.log.read_text()


def test_a_container_without_a_role_has_nothing_to_check(make_container):
    once = make_container("migrate")
    assert once.run(image().health) == 0
    assert "nothing to check" in once.log.read_text()


def test_a_second_migration_changes_nothing(make_container, roles):
    again = make_container("migrate")
    assert again.run(command("migrate")) == 0, again.log.read_text()


@pytest.mark.parametrize("role", ROLES)
def test_sigterm_ends_a_role_in_order(roles, role):
    wait_until_healthy(roles[role])
    assert roles[role].stop(30) < 15
    assert roles[role].outer.returncode == 0, roles[role].log.read_text()


def test_sigterm_ends_a_role_that_still_loads_its_models(make_container):
    starting = make_container("worker")
    starting.start(command("worker"))
    note = Path(starting.environment["TMPDIR"]) / "ml-backend-role.json"
    deadline = time.monotonic() + 60
    while not note.exists():
        assert time.monotonic() < deadline, starting.log.read_text()
        time.sleep(0.05)
    assert starting.stop(10) < 5
    assert "worker_ready" not in starting.log.read_text()


def test_a_setting_that_cannot_be_used_stops_the_start_and_is_said(make_container):
    wrong = make_container("api")
    wrong.environment = {**wrong.environment, "BASIC_AUTH_PASSWORD": ""}
    assert wrong.run(command(*image().command)) == 2
    assert "BASIC_AUTH_PASSWORD" in wrong.log.read_text()
