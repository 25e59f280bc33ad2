"""A real PostgreSQL for tests, from the package that is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

START_SECONDS = 60
#: What it has confirmed outlives its own end, not that of the machine.
_QUICK = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the path; ``None`` without any."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    candidates = [*folders, *([Path(found).parent] if found else [])]
    return next((path for path in candidates if (path / "initdb").exists()), None)


class Postgres:
    """A server on a port of this machine.

    Attributes:
        address: Of its database ``postgres``, for SQLAlchemy.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.address = f"postgresql+psycopg://backend@127.0.0.1:{port}/postgres"
        programs = find_postgres()
        assert programs is not None
        self._programs = programs
        # It refuses to run as root, and must be able to enter the folder, which those of pytest do not allow to others.
        account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self._who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._folder / "data"
        if account:
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        options = ("--username=backend", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        command = (self._programs / "initdb", *options, f"--pgdata={self._data}")
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, **self._who)

    def start(self) -> None:
        """Start it, also after a kill, and wait until it answers."""
        settings = (f"port={self._port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_QUICK)
        command = [self._programs / "postgres", "-D", self._data, *(x for each in settings for x in ("-c", each))]
        deadline = time.monotonic() + START_SECONDS
        log = self._folder / "log"
        while True:
            with log.open("ab") as stream:
                self._process = subprocess.Popen(command, cwd=self._folder, stdout=stream, stderr=stream, **self._who)
            while self._process.poll() is None:
                try:
                    psycopg.connect(self.address.replace("+psycopg", ""), connect_timeout=2).close()
                except psycopg.Error:
                    time.sleep(0.05)
                else:
                    return
            # What is left of a killed one keeps its memory for a moment.
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}")
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill it outright; what it has confirmed is there when it starts again."""
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        """Stop it, and remove its folder."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def postgres(port: int) -> Iterator[str]:
    """Run a server on a port of this machine; its address."""
    server = Postgres(port)
    server.start()
    try:
        yield server.address
    finally:
        server.close()


def run_sql(server: str, statement: str, *names: str) -> None:
    """Run a statement outside of a transaction; ``{}`` in it stand for names, which are quoted."""
    address = server.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


def empty(database: str, tables: Sequence[str]) -> None:
    """End all other sessions of a database, and delete what is in its tables: much quicker than a new database."""
    others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute(f"{others} AND pid <> pg_backend_pid()")
        for table in tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
