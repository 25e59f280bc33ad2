"""Clients that are slow or silent, against a real gunicorn process with the product's own configuration."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.api.admission import Admission
from ml_backend.api.auth import BearerToken, Credentials
from ml_backend.api.buffering_worker import ChunkedEnd, Incoming, _parse
from ml_backend.api.limits import MAX_EVENT_BYTES, MAX_FORM_BYTES, MAX_HINT_BYTES, MAX_REQUEST_BYTES
from tests.conftest import free_port
from tests.ml_backend.api.served_app import LARGE

USER, PASSWORD, SECRET = "label-studio", "pass word", "hush"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
ROOT = Path(__file__).parents[3]
THREADS = 4
TOKEN = "a token of some length"
EVENT = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "result": []}, "task": {"id": 1}, "project": {"id": 2}}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the API in one process of few threads; give its port, and the process."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RUN_DIR": str(folder / "run"),
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "WEB_THREADS": str(THREADS),
        "BASIC_AUTH_USER": USER,
        "BASIC_AUTH_PASSWORD": PASSWORD,
        "WEBHOOK_SECRET": SECRET,
        "API_TOKEN": TOKEN,
        "PUBLIC_URL": "",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "tests.ml_backend.api.served_app:build()"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 120
        while not _is_up(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("slow")
    with serving(folder) as (port, _):
        yield port
    assert "Traceback" not in (folder / "log").read_text()


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", headers={"Authorization": BASIC}, timeout=1).ok
    except requests.RequestException:
        return False


def _connect(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(sent)
    return client


def _answer(client: socket.socket) -> tuple[int, bytes, bytes]:
    """Read one answer: its status, its headers and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        assert piece, data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        piece = client.recv(65536)
        assert piece
        body += piece
    assert len(body) == length
    return int(head.split()[1]), head, body


def _ask(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def _serves(port: int) -> None:
    """See that ``/health`` answers within its second, and an honest event is kept."""
    for _ in range(3):
        start = time.monotonic()
        with _connect(port, _ask("GET", "/health", Authorization=BASIC)) as client:
            assert _answer(client)[0] == 200
        assert time.monotonic() - start < 1
    start = time.monotonic()
    with _connect(port, _ask("POST", "/webhook", json.dumps(EVENT).encode(), X_Webhook_Secret=SECRET)) as client:
        assert _answer(client)[0] == 201
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"GET /health HTTP/1.1\r\nX-A: 1\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /admin/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\ntoken=",
        b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["silent", "line break", "header", "event", "chunks", "predict", "form", "answer not read"],
)
def test_many_that_stop_half_way_keep_nobody_else_from_being_served(port, sent):
    many = 20 if b"/large" in sent else 200
    with ExitStack() as stack:
        for _ in range(many):
            stack.enter_context(_connect(port, sent))
        _serves(port)


def test_more_connections_than_there_may_be_make_room_for_new_ones(port):
    with ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(_connect(port))
        _serves(port)


def test_who_lacks_credentials_is_told_before_the_body_is_there(port):
    start = time.monotonic()
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n"
    with _connect(port, head) as client:
        status, answer, _ = _answer(client)
    assert status == 401
    assert b"Connection: close" in answer
    assert time.monotonic() - start < 5


def test_headers_that_do_not_end_are_refused_in_time(port):
    with _connect(port, b"GET /health HTTP/1.1\r\n") as client:
        start = time.monotonic()
        while time.monotonic() - start < 30:
            try:
                client.sendall(b"X-A: 1\r\n")
                client.settimeout(1)
                if data := client.recv(100):
                    assert b" 408 " in data
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - start < 20
    with _connect(port, b"GET /health HTTP/1.1\r\nX-A: " + b"a" * 70_000) as client:
        assert _answer(client)[0] == 431


def test_what_was_not_taken_at_once_arrives_whole_and_the_connection_goes_on(port):
    with _connect(port, _ask("GET", "/large") + _ask("GET", "/health", Authorization=BASIC)) as client:
        time.sleep(0.5)
        status, _, body = _answer_of(client, LARGE)
        assert (status, len(body), set(body)) == (200, LARGE, set(b"x"))
        assert _answer(client)[0] == 200


def _answer_of(client: socket.socket, length: int) -> tuple[int, bytes, bytearray]:
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    end = data.index(b"\r\n\r\n") + 4
    while len(data) < end + length:
        data += client.recv(min(65536, end + length - len(data)))
    return int(data.split()[1]), bytes(data[:end]), data[end:]


def test_connections_are_kept_and_requests_may_come_behind_one_another(port):
    event = json.dumps(EVENT).encode()
    asked = [
        _ask("GET", "/health", Authorization=BASIC),
        _ask("POST", "/webhook", event, X_Webhook_Secret=SECRET),
        _ask("GET", "/versions", Authorization=BASIC),
        _ask("GET", "/nothing"),
    ]
    expected = [200, 201, 200, 404]
    with _connect(port) as client:
        for request, status in zip(asked, expected, strict=True):
            client.sendall(request)
            assert _answer(client)[0] == status
        client.sendall(b"\r\n" + b"".join(asked))
        assert [_answer_of_small(client) for _ in expected] == expected
        # Byte by byte.
        for byte in asked[1]:
            client.sendall(bytes([byte]))
        assert _answer_of_small(client) == 201


def _answer_of_small(client: socket.socket) -> int:
    """Read one answer, and no byte of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        assert piece, head
        head += piece
    left = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while left:
        left -= len(client.recv(left))
    return int(head.split()[1])


def test_chunked_bodies_arrive(port):
    event = json.dumps(EVENT).encode()
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (event[:10], event[10:]))
    head = _ask("POST", "/webhook", X_Webhook_Secret=SECRET, Transfer_Encoding="chunked")
    with _connect(port, head + chunks + b"0\r\nX-Trailer: 1\r\n\r\n" + _ask("GET", "/nothing")) as client:
        assert _answer_of_small(client) == 201
        assert _answer_of_small(client) == 404
    with _connect(port, head + b"zz\r\n") as client:
        assert _answer(client)[0] in (400, 500)


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_once_or_is_refused(port):
    event = json.dumps(EVENT).encode()
    head = f"POST /webhook HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {len(event)}\r\n"
    with _connect(port, f"{head}X-Webhook-Secret: {SECRET}\r\n\r\n".encode()) as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(event)
        assert _answer(client)[0] == 201
    with _connect(port, head.replace("webhook", "predict").encode() + b"\r\n") as client:
        assert _answer(client)[0] == 401


def test_a_large_body_with_credentials_is_taken(port):
    large = json.dumps({"tasks": [], "padding": "x" * 20_000_000})
    answer = requests.post(f"http://127.0.0.1:{port}/setup", data=large, headers={"Authorization": BASIC}, timeout=30)
    assert answer.status_code == 200, answer.text
    too_large = requests.post(
        f"http://127.0.0.1:{port}/webhook",
        data=b"x" * (MAX_EVENT_BYTES + 1),
        headers={"X-Webhook-Secret": SECRET},
        timeout=30,
    )
    assert too_large.status_code == 413


def test_two_lengths_or_a_length_beside_chunks_are_no_request(port):
    for odd in ("Content-Length: 3\r\nContent-Length: 4", "Content-Length: 3\r\nTransfer-Encoding: chunked"):
        with _connect(port, f"POST /webhook HTTP/1.1\r\nHost: a\r\n{odd}\r\n\r\nabc".encode()) as client:
            status, head, _ = _answer(client)
        assert status == 400
        assert b"Connection: close" in head


def test_it_ends_in_time_and_answers_first_what_is_under_way(tmp_path):
    with serving(tmp_path) as (port, process), ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_connect(port))
            stack.enter_context(_connect(port, b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"))
        idle = stack.enter_context(_connect(port, _ask("GET", "/health", Authorization=BASIC)))
        assert _answer(idle)[0] == 200
        event = _ask("POST", "/webhook", json.dumps(EVENT).encode(), X_Webhook_Secret=SECRET)
        under_way = stack.enter_context(_connect(port, event[:-5]))
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        under_way.sendall(event[-5:])
        assert _answer(under_way)[0] == 201
        assert process.wait(15) == 0


@pytest.fixture
def admission(make_settings):
    return Admission(
        make_settings(
            basic_auth_user=USER,
            basic_auth_password=PASSWORD,
            webhook_secret=SECRET,
            api_token=TOKEN,
        )
    )


@pytest.mark.parametrize(
    ("target", "headers", "allowed"),
    [
        ("/health", {}, (0, False, True)),
        ("/?x", {}, (0, False, True)),
        ("/predict", {}, (0, False, False)),
        ("/predict", {"authorization": BASIC}, (MAX_REQUEST_BYTES, True, False)),
        ("/%70redict", {"authorization": BASIC}, (MAX_REQUEST_BYTES, True, False)),
        ("http://host/predict", {"authorization": BASIC}, (MAX_REQUEST_BYTES, True, False)),
        ("/predict", {"authorization": "Basic /w=="}, (0, False, False)),
        ("/predict", {"authorization": "Bearer a token of some length"}, (0, False, False)),
        ("/webhook", {}, (MAX_HINT_BYTES, False, False)),
        ("/webhook", {"x-webhook-secret": SECRET}, (MAX_EVENT_BYTES, True, False)),
        ("/webhook", {"authorization": BASIC}, (MAX_EVENT_BYTES, True, False)),
        ("/api/self-learning/import", {"authorization": BASIC}, (0, False, False)),
        ("/admin/login", {}, (MAX_FORM_BYTES, False, False)),
        ("//predict", {"authorization": BASIC}, (0, False, False)),
        ("/nothing", {"authorization": BASIC}, (0, False, False)),
        ("http://[", {}, (0, False, False)),
    ],
)
def test_what_a_request_may_bring_along(admission, target, headers, allowed):
    found = admission.of(target, headers)
    assert (found.body_bytes, found.trusted, found.urgent) == allowed


def test_the_token_admits_uploads(admission, make_settings):
    allowed = admission.of("/api/self-learning/import", {"authorization": "Bearer a token of some length"})
    assert allowed.trusted
    assert allowed.body_bytes == make_settings().max_upload_bytes


@given(head=st.binary(max_size=300), credentials=st.binary(max_size=40))
def test_no_header_breaks_the_loop(head, credentials):
    looking = Admission.__new__(Admission)
    looking._credentials = Credentials(USER, PASSWORD, SECRET)
    looking._token, looking._upload_bytes = BearerToken("token"), 10
    full = head + b"\r\nAuthorization: Basic " + credentials.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\n"
    target, headers, length = _parse(full)
    assert not looking.of(target, headers).trusted
    assert length is None or length >= 0


@given(
    parts=st.lists(st.binary(min_size=1, max_size=50), max_size=8), cut=st.integers(1, 20), behind=st.binary(max_size=9)
)
def test_the_end_of_a_chunked_body_is_found_wherever_it_is_cut(parts, cut, behind):
    body = b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    chunks, taken, whole = ChunkedEnd(), 0, body + behind
    for at in range(0, len(whole), cut):
        taken += chunks.feed(whole[at : at + cut])
    assert chunks.done
    assert taken == len(body)


@pytest.mark.parametrize("sent", [b"-1\r\n", b"+1\r\n", b"0x1\r\n", b"1_0\r\n", b"\r\n", b"g\r\n", b"1" * 2000])
def test_what_is_no_chunk_is_refused(sent):
    with pytest.raises(ValueError, match="chunk"):
        ChunkedEnd().feed(sent)


def test_a_body_that_drips_has_no_more_time_than_one_that_flows():
    incoming = Incoming(started=0.0)
    assert not incoming.late(9)
    assert incoming.late(11)
    incoming.allowance, incoming.body_started, incoming.received = object(), 0.0, 100
    assert not incoming.late(19)
    assert incoming.late(21)
    incoming.received = 64 * 1024 * 100
    assert not incoming.late(119)
    assert incoming.late(121)
