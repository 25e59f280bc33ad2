"""A PostgreSQL for backups."""

import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import free_port
from tests.postgres import find_postgres, postgres, run_sql


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql): nothing is tested with it")
    with postgres(free_port()) as server:
        yield server


@pytest.fixture
def empty_postgres(postgres_server: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    run_sql(postgres_server, "CREATE DATABASE {}", name)
    yield postgres_server.replace("/postgres", f"/{name}")
    run_sql(postgres_server, "DROP DATABASE {} WITH (FORCE)", name)
