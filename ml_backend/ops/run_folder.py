"""One running system a folder: its lock, its process numbers, and what a killed launch left behind."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ml_backend.errors import LaunchError

# Stands in the environment of everything that is started, so that it can be told from other people's processes.
MARK = "LABEL_STUDIO_OCR_RUN_DIR"
_GRACE_SECONDS = 8.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process alone.

    Raises:
        LaunchError: If another process holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as handle:
        try:
            # POSIX locks are not inherited: what is started below never holds it.
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            raise LaunchError(
                f"Process {handle.read().strip() or 'unknown'} already runs a system in {folder}.",
                "Stop it first (Ctrl-C where it runs), or choose another folder with RUN_DIR=... and other ports.",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def stop_leftovers(folder: Path) -> list[str]:
    """Stop every process that a launch in ``folder`` started, and return their names.

    After an orderly end there is none; after ``kill -9`` of the launch there are.
    """
    found = {process.pid: process for process in (*_by_number(folder / "pids"), *_by_mark(folder))}
    names = sorted({_name(process) for process in found.values()})
    for process in found.values():
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(list(found.values()), timeout=_GRACE_SECONDS)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    for record in (folder / "pids").glob("*.pid"):
        record.unlink(missing_ok=True)
    return names


def _by_number(records: Path) -> Iterator[psutil.Process]:
    """Yield the recorded processes that still run.

    A process that is older than its record is the one recorded; a younger one has only inherited the number.
    """
    for record in records.glob("*.pid"):
        try:
            process = psutil.Process(int(record.read_text(encoding="utf-8")))
            if process.create_time() <= record.stat().st_mtime + 1:
                yield process
        except (ValueError, OSError, psutil.Error):
            continue


def _by_mark(folder: Path) -> Iterator[psutil.Process]:
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid not in mine and process.environ().get(MARK) == str(folder.absolute()):
                yield process
        except (OSError, psutil.Error):
            continue


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return "ended"
