"""Real processes under the supervisor."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml_backend.ops.run_folder import stop_leftovers
from tests.e2e.conftest import left_running

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start_one(how: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.ml_backend.launch.two_services", str(tmp_path), how]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
    stop_leftovers(tmp_path)


def wait_for(path: Path, content: str = "") -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or content not in path.read_text():
        assert time.monotonic() < deadline, f"{path} never held {content!r}"
        time.sleep(0.05)


def test_ctrl_c_stops_everything_and_leaves_nothing_running(start: Start, tmp_path: Path) -> None:
    process = start("stay")
    wait_for(tmp_path / "worked")
    wait_for(tmp_path / "logs" / "first.log", "ready")
    assert left_running(tmp_path)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output == "Stopped.\n"
    assert left_running(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_so_does_the_end_of_the_terminal(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start("stay")
    wait_for(tmp_path / "logs" / "first.log", "ready")
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert left_running(tmp_path) == []


def test_service_that_ends_stops_the_others_and_names_its_log(start: Start, tmp_path: Path) -> None:
    process = start("die")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output.splitlines() == [
        f"second ended (status 7), so everything was stopped. See {tmp_path}/logs/second.log",
        "Its last words: no weights",
    ]
    assert left_running(tmp_path) == []


def test_work_that_fails_stops_everything_in_one_line(start: Start, tmp_path: Path) -> None:
    process = start("fail")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output == "The work failed. Fix it.\n"
    assert left_running(tmp_path) == []


def test_a_bug_in_the_work_does_not_leave_a_system_that_is_never_ready(start: Start, tmp_path: Path) -> None:
    process = start("break")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "RuntimeError: a bug" in output
    assert left_running(tmp_path) == []


def test_gated_service_starts_later_with_what_the_gate_adds(start: Start, tmp_path: Path) -> None:
    process = start("gate")
    wait_for(tmp_path / "logs" / "second.log", 'it\'s "quoted" $HOME')
    assert (tmp_path / "gate.sh").stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert not (tmp_path / "gate.sh").exists()


def test_what_a_killed_launch_left_is_stopped_by_the_next(start: Start, tmp_path: Path) -> None:
    process = start("stay")
    wait_for(tmp_path / "logs" / "first.log", "ready")
    process.kill()
    process.wait(10)
    assert left_running(tmp_path), "kill -9 leaves them"
    assert stop_leftovers(tmp_path)
    assert left_running(tmp_path) == []
    assert stop_leftovers(tmp_path) == []
