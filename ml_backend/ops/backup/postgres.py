"""``pg_dump`` and ``pg_restore``: PostgreSQL's own programs, with the password out of sight."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import URL

from ml_backend.ops.backup.contents import BackupError

#: A database of a million annotations takes minutes.
_MOST_SECONDS = 4 * 3600


def dump(address: URL, path: Path) -> None:
    """Write a database into a file in PostgreSQL's own format.

    Raises:
        BackupError: If the program is missing, or fails.
    """
    _run("pg_dump", address, ["--format=custom", "--no-owner", "--no-privileges", f"--file={path}"])


def restore(address: URL, path: Path) -> None:
    """Replace what a database holds by what a file holds, all or nothing.

    Raises:
        BackupError: If the program is missing, or fails.
    """
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    _run("pg_restore", address, [*options, str(path)])


def read_through(path: Path) -> None:
    """Read a dump to its end, without a server.

    Raises:
        BackupError: If it is damaged, or the program is missing.
    """
    _call("pg_restore", [f"--file={os.devnull}", str(path)], dict(os.environ))


def _run(program: str, address: URL, arguments: list[str]) -> None:
    parts = (address.username, None, address.host, address.port, address.database, address.query)
    plain = URL.create("postgresql", *parts).render_as_string()
    # In the environment and not among the arguments, which every user of the machine may read.
    environment = os.environ | ({"PGPASSWORD": str(address.password)} if address.password else {})
    _call(program, ["--no-password", f"--dbname={plain}", *arguments], environment)


def _call(program: str, arguments: list[str], environment: dict[str, str]) -> None:
    found = _find(program)
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            [str(found), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupError(f"{program} failed ({type(error).__name__}).") from error
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if line.strip()), f"exit status {done.returncode}")
        raise BackupError(f"{program} failed: {said}")


def _find(program: str) -> Path:
    """Return a program of PostgreSQL's, the newest that Debian has beside the path.

    Raises:
        BackupError: If there is none.
    """
    beside = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    found = [*beside, *(Path(path) for path in (shutil.which(program),) if path)]
    if not found:
        raise BackupError(f"There is no {program} on this machine.", "Install it: apt-get install postgresql-client.")
    return found[0]
