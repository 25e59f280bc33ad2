"""Keeping several processes running together: honcho does it, this tells it what and tells the person why it ended."""

from __future__ import annotations

import os
import re
import shlex
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from honcho.manager import Manager

from ml_backend.errors import BackendError
from ml_backend.launch.console import Console
from ml_backend.ops.run_folder import MARK, stop_leftovers

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Service:
    """One process to keep running.

    Attributes:
        name: Of its log file, ``logs/<name>.log``.
        command: Program and arguments.
        environment: Its whole environment.
        gated: Whether it waits until :meth:`Supervisor.open_gate` was called.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    gated: bool = False


class _Message(Protocol):
    data: str
    name: str


class _Ears:
    """Takes the place of honcho's printer and hears from it who started and who stopped."""

    _STARTED = re.compile(r"\S+ started \(pid=\d+\)")
    _STOPPED = re.compile(r"(\S+) stopped \(rc=(-?\d+)\)")

    def __init__(self, processes: int, on_start: Callable[[], object]) -> None:
        self.width = 0  # honcho sets it
        self.first_stopped: tuple[str, int] | None = None
        self._missing = processes
        self._on_start = on_start

    def write(self, message: _Message) -> None:
        if self._STARTED.match(message.data):
            self._missing -= 1
            if self._missing == 0:
                self._on_start()
        stopped = self._STOPPED.match(message.data)
        if stopped and self.first_stopped is None:
            self.first_stopped = stopped[1], int(stopped[2])


class Supervisor:
    """Runs services together: all of them or none.

    Args:
        services: What to run.
        folder: Where logs and process numbers are written.
        console: Where the person reads why it ended.
    """

    def __init__(self, services: Sequence[Service], folder: Path, console: Console) -> None:
        self._services = services
        self._folder = folder.absolute()
        self._console = console
        self._gate = self._folder / "gate.sh"
        self._failure: BackendError | None = None
        self._stopping = threading.Event()

    def run(self, work: Callable[[], None]) -> int:
        """Start everything, call ``work`` beside it, and stay until Ctrl-C or until a service ends.

        Args:
            work: Called in a thread of its own as soon as all services were started. If it raises
                :class:`BackendError`, everything is stopped again.

        Returns:
            An exit status: 0 after Ctrl-C, 143 after SIGTERM, 1 if something went wrong, which is then on the console.
        """
        for part in ("logs", "pids"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        self._gate.unlink(missing_ok=True)
        # Begun when the last process has started, the thread is in none of honcho's forks, and honcho can end them all.
        ears = _Ears(
            len(self._services),
            lambda: threading.Thread(target=self._work, args=(work, manager), daemon=True).start(),
        )
        manager = Manager(printer=ears)
        for service in self._services:
            environment = {**service.environment, MARK: str(self._folder)}
            manager.add_process(service.name, self._shell_line(service), quiet=True, env=environment)
        previous = signal.signal(signal.SIGHUP, _hang_up)
        try:
            manager.loop()
        except KeyError:
            # honcho knows no process numbers yet when Ctrl-C comes while it starts; the numbers on disk are used below.
            manager.returncode = _INTERRUPTED
        finally:
            self._stopping.set()
            signal.signal(signal.SIGHUP, previous)
            stop_leftovers(self._folder)
            self._gate.unlink(missing_ok=True)
        return self._explain(ears, int(manager.returncode or 0))

    def open_gate(self, environment: Mapping[str, str]) -> None:
        """Let the gated services start, with ``environment`` added to their own."""
        partial = self._gate.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        partial.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()))
        partial.replace(self._gate)

    def log_of(self, name: str) -> Path:
        """The file that the service called ``name`` writes to."""
        return self._folder / "logs" / f"{name}.log"

    def _work(self, work: Callable[[], None], manager: Manager) -> None:
        done = False
        try:
            work()
            done = True
        except BackendError as error:
            # While everything stops, whatever the work still asks for fails: that is no news.
            if not self._stopping.is_set():
                self._failure = error
        finally:
            if not done:
                manager.terminate()

    def _shell_line(self, service: Service) -> str:
        # Logs go to files without passing through honcho, so that they are whole even when the launch is killed.
        log, record, gate = (
            shlex.quote(str(path))
            for path in (self.log_of(service.name), self._folder / "pids" / f"{service.name}.pid", self._gate)
        )
        wait = f"until [ -e {gate} ]; do sleep 0.2; done; . {gate}; " if service.gated else ""
        return f"echo $$ > {record}; exec >> {log} 2>&1; {wait}exec {shlex.join(service.command)}"

    def _explain(self, ears: _Ears, status: int) -> int:
        if self._failure is not None:
            self._console.write(str(self._failure))
            return 1
        if status in (_INTERRUPTED, 128 + signal.SIGTERM):
            self._console.write("Stopped.")
            return 0 if status == _INTERRUPTED else status
        name, code = ears.first_stopped or ("a process", status)
        log = self.log_of(name)
        self._console.write(f"{name} ended (status {code}), so everything was stopped. See {log}")
        if last := _last_line(log):
            self._console.write(f"Its last words: {last}")
        return 1


def _last_line(log: Path) -> str:
    """Return the last line of a log, at most 400 characters; empty where there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 4096))
            lines = stream.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:400] for line in reversed(lines) if line.strip()), "")


def _hang_up(_number: int, _frame: FrameType | None) -> None:
    """End as on SIGTERM when the terminal goes away."""
    os.kill(os.getpid(), signal.SIGTERM)
