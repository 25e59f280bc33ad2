"""What stops a launch before anything is started: one line each, with the remedy."""

import io
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ml_backend.launch.console import Console
from ml_backend.launch.up import bring_up
from ml_backend.settings import Settings
from tests.conftest import free_port

MakeSettings = Callable[..., Settings]


def said(settings: Settings, tmp_path: Path) -> str:
    """The last line of a launch that cannot succeed."""
    stream = io.StringIO()
    assert bring_up(settings, Console(stream), label_studio_venv=tmp_path / "venv") == 1
    assert "Traceback" not in stream.getvalue()
    return stream.getvalue().splitlines()[-1]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("setting", ["port", "redis_port", "label_studio_port"])
def test_port_in_use(make_settings: MakeSettings, tmp_path: Path, taken_port: int, setting: str) -> None:
    ports = {name: free_port() for name in ("port", "redis_port", "label_studio_port")}
    line = said(make_settings(**ports | {setting: taken_port}), tmp_path)
    assert f"Port {taken_port}" in line
    assert f"{setting.upper()}=" in line


def test_redis_that_does_not_answer(make_settings: MakeSettings, tmp_path: Path) -> None:
    line = said(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"), tmp_path)
    assert "REDIS_URL names does not answer" in line


def test_label_studio_that_does_not_answer(make_settings: MakeSettings, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    line = said(
        make_settings(label_studio_url=url, label_studio_api_key="x", port=free_port(), redis_port=free_port()),
        tmp_path,
    )
    assert "does not answer" in line
    assert "LABEL_STUDIO_URL" in line


class Refusing(BaseHTTPRequestHandler):
    """Answers as Label Studio does to a token that it does not accept."""

    def do_GET(self) -> None:
        body = b'{"detail": "Invalid token."}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_token_that_is_refused(make_settings: MakeSettings, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        line = said(
            make_settings(label_studio_url=url, label_studio_api_key="x", port=free_port(), redis_port=free_port()),
            tmp_path,
        )
        server.shutdown()
    assert "refuses the token" in line
    assert "LABEL_STUDIO_API_KEY" in line
