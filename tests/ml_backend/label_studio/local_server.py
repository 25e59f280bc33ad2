"""A real HTTP server on this machine, with answers that a test sets and a record of what was asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What to answer.

    ``pause`` is waited before every chunk of ``chunk`` bytes; ``announce`` replaces the length in the header.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    chunk: int = 1 << 16
    announce: int | None = None


def as_json(value: Any, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def redirect(location: str, status: int = 302) -> Answer:
    """Answer with a redirect."""
    return Answer(status, b"elsewhere", {"Location": location})


class _QuietServer(ThreadingHTTPServer):
    """A client that hangs up in the middle of an answer is what some tests are about."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


Route = Answer | Callable[[Request], Answer]


class LocalServer:
    """A server with an answer for each path; any other path is 404."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            #: Headers and body are two packets, and the second would wait 40 ms for the first's acknowledgement.
            disable_nagle_algorithm = True

            def answer(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
                outer.requests.append(request)
                route = outer.routes.get(f"{self.command} {parts.path}") or outer.routes.get(parts.path)
                if route is None:
                    route = as_json({"detail": "Not found."}, 404)
                self.send(route(request) if callable(route) else route)

            def send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.announce is None else answer.announce
                self.send_header("Content-Length", str(length))
                self.end_headers()
                try:
                    for start in range(0, len(answer.body), answer.chunk):
                        time.sleep(answer.pause)
                        self.wfile.write(answer.body[start : start + answer.chunk])
                        self.wfile.flush()
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [request.path for request in self.requests]

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def running() -> Iterator[LocalServer]:
    """Run a server for the time of a test."""
    server = LocalServer()
    try:
        yield server
    finally:
        server.close()
