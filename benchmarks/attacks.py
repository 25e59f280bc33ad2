"""How the backend holds against clients and annotations that are made to stop it; talks to 127.0.0.1 only.

    python -m benchmarks.attacks slow-clients --connections 200
    python -m benchmarks.attacks poison-annotations

``slow-clients`` starts the backend under gunicorn, with credentials and an empty store, opens connections of each kind
that stop half way, and measures ``/health`` and an event with its secret beside them. ``poison-annotations`` compares
annotations with predictions as a sync does. The exit status is 1 if an answer fails or takes too long.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.outlines import TooComplexError
from ml_backend.learn.annotation_diff import diff

START_SECONDS = 300
#: Label Studio waits so long for ``/health`` and for a webhook.
HEALTH_SECONDS = 1.0
#: An annotation may hold up a sync for so long.
COMPARE_SECONDS = 30.0
SIDES = {"original_width": 1000, "original_height": 500, "to_name": "image"}
CONFIG = """<View><Image name="image" value="$image"/><PolygonLabels name="label" toName="image"><Label value="NAME"/>
</PolygonLabels><TextArea name="text" toName="image" perRegion="true"/></View>"""

CLIENTS = {
    "say nothing": b"",
    "never end their headers": b"GET /health HTTP/1.1\r\nHost: a\r\n",
    "never send the event they announce": b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    "never end their chunks": b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "never send the tasks they announce": b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    "never read their answers": b"GET /admin/static/panel.css HTTP/1.1\r\nHost: a\r\n\r\n" * 12,
}


@contextmanager
def backend(folder: Path) -> Iterator[tuple[int, str, str]]:
    """Run a backend; give its port, its password and its secret."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    password, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    environment = os.environ | {
        "RUN_DIR": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "ERROR",
        "DATABASE_URL": "",
        "BASIC_AUTH_USER": "benchmark",
        "BASIC_AUTH_PASSWORD": password,
        "WEBHOOK_SECRET": secret,
        "API_TOKEN": secrets.token_urlsafe(24),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()"]
    process = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while _health(port, password) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the backend did not start")
            time.sleep(0.5)
        yield port, password, secret
    finally:
        process.terminate()
        process.wait(60)


def slow_clients(connections: int, tries: int) -> bool:
    """Measure answers beside connections that stop half way; return whether all were in time."""
    held = True
    print("| clients that | /health, median | worst | event, median | worst | failed |\n|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, backend(Path(folder)) as (port, password, secret):
        for name, sent in CLIENTS.items():
            with ExitStack() as stack:
                for _ in range(connections):
                    client = stack.enter_context(socket.socket())
                    # So that little of an answer that is not read fits into the system's buffers.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    client.settimeout(10)
                    client.connect(("127.0.0.1", port))
                    client.setblocking(False)
                    if sent:
                        client.send(sent)
                health = [_health(port, password) for _ in range(tries)]
                events = [_event(port, secret, number) for number in range(tries)]
            failed = (health + events).count(None)
            held = held and not failed
            print(f"| {name} | {_times(health)} | {_times(events)} | {failed} |", flush=True)
    return held


def _times(seconds: list[float | None]) -> str:
    answered = [each for each in seconds if each is not None]
    if not answered:
        return "none | none"
    return f"{1000 * statistics.median(answered):.0f} ms | {1000 * max(answered):.0f} ms"


def _health(port: int, password: str) -> float | None:
    start = time.monotonic()
    try:
        found = requests.get(f"http://127.0.0.1:{port}/health", auth=("benchmark", password), timeout=HEALTH_SECONDS)
    except requests.RequestException:
        return None
    return time.monotonic() - start if found.ok else None


def _event(port: int, secret: str, number: int) -> float | None:
    event = {"action": "ANNOTATION_CREATED", "annotation": {"id": number, "result": []}, "project": {"id": 1}}
    start = time.monotonic()
    try:
        answer = requests.post(
            f"http://127.0.0.1:{port}/webhook",
            json=event | {"task": {"id": number}},
            headers={"X-Webhook-Secret": secret},
            timeout=5,
        )
    except requests.RequestException:
        return None
    return time.monotonic() - start if answer.ok else None


def _polygon(name: str, points: list[tuple[float, float]]) -> dict[str, Any]:
    value = {"points": [list(point) for point in points], "polygonlabels": ["NAME"]}
    return {**SIDES, "id": name, "from_name": "label", "type": "polygonlabels", "value": value}


def _crossing(points: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [_polygon("a", [(draw.uniform(0, 100), draw.uniform(0, 100)) for _ in range(points)])]


def _boxes(count: int, shift: float, *, stacked: bool) -> list[dict[str, Any]]:
    found = []
    for number in range(count):
        x, y = (0, 0) if stacked else (number % 50 * 2, number // 50 * 1.5)
        right = x + 1.5 + (number * 1e-5 if stacked else 0)
        found.append(_polygon(f"{shift}-{number}", [(x, y), (right, y), (right, y + 1 + shift), (x, y + 1 + shift)]))
    return found


def poison_annotations() -> bool:
    """Compare annotations that take long with predictions; return whether each ended in time."""
    config = parse_label_config(CONFIG)
    cases = {
        "a polygon that crosses itself, 300 points": (_crossing(300, 0), _crossing(300, 1)),
        "a polygon that crosses itself, 1,000 points": (_crossing(1000, 0), _crossing(1000, 1)),
        "a polygon that crosses itself, 10,000 points": (_crossing(10_000, 0), _crossing(10_000, 1)),
        "3,000 regions against 3,000 others": (_boxes(3000, 0, stacked=False), _boxes(3000, 0.1, stacked=False)),
        "3,000 regions on one spot against 3,000": (_boxes(3000, 0, stacked=True), _boxes(3000, 0.1, stacked=True)),
    }
    held = True
    print("| prediction and annotation | seconds | outcome |\n|---|---:|---|")
    for name, (before, after) in cases.items():
        start = time.monotonic()
        try:
            outcome = f"{len(diff(before, after, config))} corrections"
        except TooComplexError:
            outcome = "left out, with the reason"
        seconds = time.monotonic() - start
        held = held and seconds < COMPARE_SECONDS
        print(f"| {name} | {seconds:.2f} | {outcome} |", flush=True)
    return held


def main() -> int:
    """Run one attack; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    attacks = parser.add_subparsers(dest="attack", required=True)
    slow = attacks.add_parser("slow-clients")
    slow.add_argument("--connections", type=int, default=200, help="how many stop half way (default 200)")
    slow.add_argument("--tries", type=int, default=20, help="how often each answer is measured (default 20)")
    attacks.add_parser("poison-annotations")
    chosen = parser.parse_args()
    held = slow_clients(chosen.connections, chosen.tries) if chosen.attack == "slow-clients" else poison_annotations()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
