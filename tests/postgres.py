"""A real PostgreSQL for tests, from the machine's package; what it keeps need not outlive the machine."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

START_SECONDS = 60
_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB", "max_connections=200")


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the path; ``None`` without any."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    candidates = [*([Path(found).parent] if found else []), *folders]
    return next((path for path in candidates if (path / "initdb").exists()), None)


@contextmanager
def postgres(port: int) -> Iterator[str]:
    """Run a server on a port of this machine; the address of its database ``postgres``, for SQLAlchemy."""
    programs = find_postgres()
    assert programs is not None
    # It refuses to run as root, and must be able to enter the folder, which those of pytest do not allow to others.
    account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    data = folder / "data"
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        options = ("--username=backend", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        subprocess.run(
            (programs / "initdb", *options, f"--pgdata={data}"), cwd=folder, check=True, capture_output=True, **who
        )
        settings = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_QUICK)
        command = [programs / "postgres", "-D", data, *(part for each in settings for part in ("-c", each))]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **who)
        try:
            _wait(f"host=127.0.0.1 port={port} user=backend dbname=postgres", process, folder / "log")
            yield f"postgresql+psycopg://backend@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(server: str, statement: str, *names: str) -> None:
    """Run a statement outside of a transaction; ``{}`` in it stand for names, which are quoted."""
    address = server.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.Error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
