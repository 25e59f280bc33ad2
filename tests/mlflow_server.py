"""A real MLflow server for tests, which keeps the files of versions for machines that share no folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

START_SECONDS = 120


def start_mlflow(folder: Path, port: int, store: str = "") -> "subprocess.Popen[bytes]":
    """Start a server that keeps everything in ``folder``, or its numbers in the database ``store``."""
    folder.mkdir(parents=True, exist_ok=True)
    command = (
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", store or f"sqlite:///{folder / 'mlflow.sqlite3'}"),
        *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
    )
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def wait_for_mlflow(port: int, process: "subprocess.Popen[bytes]") -> str:
    """Return the server's address once it answers."""
    deadline = time.monotonic() + START_SECONDS
    address = f"http://127.0.0.1:{port}"
    while True:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return address
        except requests.RequestException:
            pass
        assert process.poll() is None, "MLflow has ended"
        assert time.monotonic() < deadline, "MLflow does not answer"
        time.sleep(0.2)


def stop(process: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> None:
    """End a process and those that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def mlflow_server(folder: Path, port: int, store: str = "") -> Iterator[str]:
    """Run a server as :func:`start_mlflow` starts it; its address."""
    process = start_mlflow(folder, port, store)
    try:
        yield wait_for_mlflow(port, process)
    finally:
        stop(process)
