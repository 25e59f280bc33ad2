"""Locks on the data: every role holds a shared lock, and a restore has it alone.

There is a file to lock in the run folder, and, where the store is on a PostgreSQL server, an advisory lock there too,
which reaches roles on other machines. The kernel, or the server, lets go of both when a process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger

#: A restore swaps folders and files that lie ready: what starts meanwhile waits for so long at most.
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_CONNECT_SECONDS = 5

#: Any number will do, as long as nothing else in the same PostgreSQL database uses it.
_SERVER_LOCK = 7_233_906_402
_APPLICATION = "label-studio-ocr-backend"

_log = get_logger(__name__)


class InUseError(BackendError):
    """The data are used by somebody in a way that bars this use."""

    status = 409


class _HeldError(Exception):
    """Others hold a lock; their names, where they are known."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.names = names


@contextmanager
def shared(run_dir: Path, role: str, store_url: str = "", patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Use the data beside others, so that nobody restores a backup meanwhile.

    Processes that are forked within the block hold the lock too, for as long as they live.

    Args:
        run_dir: The run folder, which has the files to lock.
        role: What uses the data, as a refused restore names it.
        store_url: SQLAlchemy address of the store; only PostgreSQL's matters.
        patience: Seconds to wait for the end of a restore.

    Raises:
        InUseError: If a restore goes on for longer, or the folder cannot be written.
    """
    with ExitStack() as stack:
        deadline = time.monotonic() + patience
        try:
            _take(_open(run_dir / "in-use.lock", stack), fcntl.LOCK_SH, deadline)
            note = run_dir / "in-use" / f"{_word(role)}.{os.getpid()}.{secrets.token_hex(4)}"
            _take(_open(note, stack), fcntl.LOCK_EX, deadline)
            stack.callback(_remove_own, note, os.getpid())
            _take_on_server(store_url, role, "pg_try_advisory_lock_shared", deadline, stack)
        except _HeldError as error:
            raise InUseError(
                "A backup is being restored at this moment.", "Start again when the restore is done."
            ) from error
        yield


@contextmanager
def alone(run_dir: Path, store_url: str = "", patience: float = 0.0) -> Iterator[None]:
    """Have the data alone.

    Args:
        run_dir: The run folder.
        store_url: SQLAlchemy address of the store.
        patience: Seconds to wait for others.

    Raises:
        InUseError: If somebody else uses them; it says who.
    """
    with ExitStack() as stack:
        deadline = time.monotonic() + patience
        try:
            _take(_open(run_dir / "in-use.lock", stack), fcntl.LOCK_EX, deadline)
            _take_on_server(store_url, "restore", "pg_try_advisory_lock", deadline, stack)
        except _HeldError as error:
            names = ", ".join(users(run_dir) or error.names) or "another restore"
            raise InUseError(
                f"The data in {run_dir} are in use by: {names}.",
                "Stop the backend, its workers and its trainer, and try again.",
            ) from error
        yield


def users(run_dir: Path) -> list[str]:
    """Return who uses the data on this machine, as ``role (process number)``; notes of those that ended are removed."""
    found = []
    for note in sorted((run_dir / "in-use").glob("*")):
        try:
            with note.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                note.unlink(missing_ok=True)
        except BlockingIOError:
            role, number, _ = note.name.rsplit(".", 2)
            found.append(f"{role.replace('_', ' ')} (process {number})")
        except OSError:
            continue
    return found


def _word(role: str) -> str:
    return re.sub(r"[^a-z0-9-]", "_", role.lower())


def _open(path: Path, stack: ExitStack) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InUseError(f"{path} cannot be written: {error.strerror}.", "Check RUN_DIR and its rights.") from error
    # Closing lets go of the lock, unless a forked process holds it as well.
    stack.callback(os.close, descriptor)
    return descriptor


def _take(descriptor: int, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise _HeldError from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _remove_own(note: Path, pid: int) -> None:
    # A process that was forked meanwhile leaves the note of the one that made it.
    if os.getpid() == pid:
        with suppress(OSError):
            note.unlink(missing_ok=True)


def _connected(store_url: str, role: str, stack: ExitStack) -> Connection | None:
    """Return a connection that holds a lock for as long as it lasts; ``None`` where there is no server to ask."""
    if not store_url.startswith("postgresql"):
        return None
    try:
        engine = create_engine(
            make_url(store_url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "keepalives_idle": 10,
                "application_name": f"{_APPLICATION} {role}"[:63],
            },
        )
        connection = engine.connect()
    except SQLAlchemyError as error:
        # What opens the store next says what is wrong with it.
        _log.warning("server_lock_not_taken", role=role, error=type(error).__name__)
        return None
    stack.callback(_close, connection, os.getpid())
    return connection


def _close(connection: Connection, pid: int) -> None:
    if os.getpid() == pid:
        with suppress(SQLAlchemyError):
            connection.close()


def _take_on_server(store_url: str, role: str, function: str, deadline: float, stack: ExitStack) -> None:
    connection = _connected(store_url, role, stack)
    while connection is not None:
        if connection.execute(text(f"SELECT {function}(:key)"), {"key": _SERVER_LOCK}).scalar():
            return
        if time.monotonic() >= deadline:
            raise _HeldError(_server_users(connection))
        time.sleep(_PAUSE_SECONDS)


def _server_users(connection: Connection) -> list[str]:
    """Return who holds the lock on the server, as ``role (machine)``."""
    found = connection.execute(
        text(
            "SELECT DISTINCT a.application_name, coalesce(host(a.client_addr), 'local') "
            "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
            "AND ((l.classid::bigint << 32) | l.objid::bigint) = :key AND l.objsubid = 1"
        ),
        {"key": _SERVER_LOCK},
    )
    return sorted(f"{name.removeprefix(_APPLICATION).strip() or name} ({machine})" for name, machine in found)
