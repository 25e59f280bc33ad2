"""The script that PostgreSQL's image runs makes a database for each part, which only its owner opens."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ml_backend.launch.env_file import SECRETS
from tests.conftest import free_port
from tests.deploy.files import ROOT
from tests.postgres import find_postgres

SCRIPT = ROOT / "deploy/compose/create-databases.sh"
#: Each database with the variable of its owner's password.
OWNERS = {
    "backend": "BACKEND_DB_PASSWORD",
    "mlflow": "MLFLOW_DB_PASSWORD",
    "label_studio": "LABEL_STUDIO_DB_PASSWORD",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Mapping[str, str]]:
    """A PostgreSQL that demands passwords; the environment of a program beside it, as its image gives it."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # It refuses to run as root, and must be able to enter the folder.
    account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    folder = Path(tempfile.mkdtemp(prefix="databases-"))
    secrets = {name: make() for name, make in SECRETS.items()}
    port = free_port()
    password = folder / "password"
    password.write_text(secrets["POSTGRES_PASSWORD"])
    if account:
        for path in (folder, password):
            os.chown(path, account.pw_uid, account.pw_gid)
    make = ("--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--locale=C.UTF-8")
    try:
        subprocess.run(
            (programs / "initdb", *make, f"--pgdata={folder / 'data'}"),
            cwd=folder,
            check=True,
            capture_output=True,
            **who,
        )
        options = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *(part for each in options for part in ("-c", each))],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )
        beside = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGPASSWORD": secrets["POSTGRES_PASSWORD"],
            **{name: secrets[name] for name in ("POSTGRES_PASSWORD", *OWNERS.values())},
        }
        try:
            deadline = time.monotonic() + 60
            while subprocess.run(["pg_isready"], env=beside, capture_output=True).returncode:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield beside
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask(server: Mapping[str, str], user: str, password: str, database: str) -> "subprocess.CompletedProcess[str]":
    command = ["psql", "-X", "-At", "-U", user, "-d", database, "-c", "CREATE TABLE IF NOT EXISTS t (n int); SELECT 1"]
    environment = {**server, "PGPASSWORD": password}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_each_owner_opens_its_own_database_and_no_other(server):
    for _ in range(2):  # the second time changes nothing
        subprocess.run([SCRIPT], env=dict(server), check=True, capture_output=True, timeout=60)
    for owner, variable in OWNERS.items():
        for database in OWNERS:
            done = ask(server, owner, server[variable], database)
            assert (done.returncode == 0) == (owner == database), done.stderr
    assert "password authentication failed" in ask(server, "backend", "another", "backend").stderr


def test_a_new_password_takes_the_place_of_the_old_one(server):
    changed = {**server, "MLFLOW_DB_PASSWORD": 'it\'s "new" and $odd\\'}
    subprocess.run([SCRIPT], env=changed, check=True, capture_output=True, timeout=60)
    assert ask(server, "mlflow", changed["MLFLOW_DB_PASSWORD"], "mlflow").returncode == 0
    assert ask(server, "mlflow", server["MLFLOW_DB_PASSWORD"], "mlflow").returncode != 0


def test_a_password_that_is_missing_stops_it(server):
    without = {name: value for name, value in server.items() if name != "MLFLOW_DB_PASSWORD"}
    done = subprocess.run([SCRIPT], env=without, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "MLFLOW_DB_PASSWORD" in done.stderr
