"""Servers on this machine, and sessions with them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ml_backend.label_studio.session import Session
from tests.ml_backend.label_studio.local_server import LocalServer, running


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A server that stands where Label Studio would."""
    with running() as local:
        yield local


@pytest.fixture
def other() -> Iterator[LocalServer]:
    """Another host: a storage, somebody's web site, an internal service."""
    with running() as local:
        yield local


@pytest.fixture
def session(server: LocalServer) -> Iterator[Session]:
    """A session with the first server, with a legacy token."""
    connected = Session(server.url, "legacy-token", timeout=5)
    yield connected
    connected.close()
