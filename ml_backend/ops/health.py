"""Whether the role that runs on this machine is well: the health check of a container."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import closing

import requests
from redis import Redis
from redis.exceptions import RedisError
from rq import Worker

from ml_backend.jobs.registered import SERIALIZER
from ml_backend.ops.role_record import Role, RoleError, RoleRecord
from ml_backend.settings import Settings

_SECONDS = 5.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def check_health(record: RoleRecord | None, settings: Settings) -> str:
    """Look whether a role does its work, and return what was seen, a sentence.

    Args:
        record: The role; ``None`` where none was begun: a command that runs once needs no check.
        settings: As the role has them.

    Raises:
        RoleError: If it does not.
    """
    if record is None:
        return "No role runs here: there is nothing to check."
    return _CHECKS[record.role](record, settings)


def own_address(settings: Settings) -> str:
    """Return where a process on this machine reaches the API."""
    return f"http://{reachable(settings.host)}:{settings.port}"


def reachable(host: str) -> str:
    """Return how a server that listens on ``host`` is written in an address on this machine."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]" if ":" in host else host


def _check_api(_record: RoleRecord, settings: Settings) -> str:
    url = f"{own_address(settings)}/health"
    user, password = settings.basic_auth_user, settings.basic_auth_password.get_secret_value()
    try:
        with requests.Session() as session:
            # Neither a proxy nor credentials of somebody's .netrc belong between a container and itself.
            session.trust_env = False
            status = session.get(url, auth=(user, password) if user else None, timeout=_SECONDS).status_code
    except requests.RequestException as error:
        raise RoleError(f"The API at {url} does not answer ({type(error).__name__}).", "See its log.") from error
    if status != requests.codes.ok:
        raise RoleError(f"The API at {url} answers with status {status}.", "See its log.")
    return "The API answers."


def _check_worker(record: RoleRecord, settings: Settings) -> str:
    """Look for the worker's own sign of life in Redis.

    RQ keeps a worker's entry for as long as it promised to give the next sign: some minutes while it waits, the job's
    limit while it works. What hangs or was killed is therefore gone after that.
    """
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError as error:
        raise RoleError(f"The {record.role}'s process is gone.", "See its log.") from error
    except PermissionError:
        pass  # there, as another user
    try:
        with closing(Redis.from_url(settings.queue_url, socket_connect_timeout=2.0, socket_timeout=3.0)) as connection:
            workers = Worker.all(connection=connection, serializer=SERIALIZER)
    except (RedisError, ValueError) as error:
        raise RoleError(
            f"Redis cannot be used ({type(error).__name__}).", "Start Redis, or check REDIS_URL."
        ) from error
    if not any(worker.hostname == socket.gethostname() and worker.pid == record.pid for worker in workers):
        raise RoleError(f"The {record.role} gives no sign of life.", "It loads its models, or hangs: see its log.")
    return f"The {record.role} is alive."


_CHECKS: Mapping[Role, Callable[[RoleRecord, Settings], str]] = {
    "api": _check_api,
    "worker": _check_worker,
    "trainer": _check_worker,
}
