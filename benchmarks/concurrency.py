"""Whether fifty ``/predict`` calls at once give exactly what fifty single ones give, and how long both take.

    python -m benchmarks.concurrency --calls 50

Two backends are started under gunicorn, one after the other, each with an empty store: the first is asked one card at
a time, the second all cards at once. The exit status is 1 if an answer differs.
"""

from __future__ import annotations

import argparse
import base64
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.predict_latency import CONFIG, cards

START_SECONDS = 300


@contextmanager
def backend(folder: Path) -> Iterator[str]:
    """Run a backend with an empty store, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"RUN_DIR": str(folder), "PORT": str(port), "HOST": "127.0.0.1", "LOG_LEVEL": "ERROR"}
    environment["DATABASE_URL"] = environment["BASIC_AUTH_USER"] = environment["BASIC_AUTH_PASSWORD"] = ""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()"]
    process = subprocess.Popen(command, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the backend did not start")
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).ok
    except requests.RequestException:
        return False


def ask(url: str, number: int, card: bytes) -> Any:
    """Return the answer for one card."""
    image = "data:image/jpeg;base64," + base64.b64encode(card).decode()
    body = {"tasks": [{"id": number, "data": {"image": image}}], "project": "1.1", "label_config": CONFIG}
    answer = requests.post(f"{url}/predict", json=body, timeout=600)
    answer.raise_for_status()
    return answer.json()


def main() -> int:
    """Ask twice, compare, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    arguments = parser.parse_args()
    batch = list(enumerate(cards(arguments.calls, arguments.calls), start=1))
    with tempfile.TemporaryDirectory() as folder:
        with backend(Path(folder) / "single") as url:
            start = time.perf_counter()
            single = [ask(url, number, card) for number, card in batch]
            alone = time.perf_counter() - start
        with backend(Path(folder) / "together") as url, ThreadPoolExecutor(len(batch)) as pool:
            barrier = threading.Barrier(len(batch))

            def call(item: tuple[int, bytes]) -> Any:
                barrier.wait(60)
                return ask(url, *item)

            start = time.perf_counter()
            together = list(pool.map(call, batch))
            at_once = time.perf_counter() - start
    differing = sum(one != other for one, other in zip(single, together, strict=True))
    empty = sum(not answer["results"][0] for answer in single)
    print("| calls | one by one s | at once s | differing | empty |\n|---:|---:|---:|---:|---:|")
    print(f"| {len(batch)} | {alone:.1f} | {at_once:.1f} | {differing} | {empty} |")
    return 1 if differing or empty else 0


if __name__ == "__main__":
    sys.exit(main())
