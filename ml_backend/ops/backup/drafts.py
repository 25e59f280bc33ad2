"""What was unpacked is opened, checked and brought up to date before anything makes room for it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.errors import BackendError
from ml_backend.observability.logs import get_logger
from ml_backend.ops.backup import postgres
from ml_backend.ops.backup.contents import BackupError
from ml_backend.ops.backup.databases import PostgresDatabase, revision_of
from ml_backend.store.engine import open_engine
from ml_backend.store.tables import Base

_ANOTHER = "Take another backup: what is there has not been touched."

_log = get_logger(__name__)


def known_revisions() -> set[str]:
    """Return the revisions of the store's schema that this program can bring up to date."""
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def bring_up_to_date(store: Path) -> None:
    """Check a store's SQLite file and migrate it; afterwards it is one file again.

    Raises:
        BackupError: If it is damaged, cannot be migrated, or lacks a table or a column.
    """
    _check_pages(store, "store")
    check_store(f"sqlite:///{store}")
    _check_pages(store, "store")
    try:
        with closing(sqlite3.connect(store, timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"The backup's store cannot be written: {error}.", _ANOTHER) from error


def check_store(url: str) -> None:
    """Migrate a store, and look whether every table and column is there.

    Raises:
        BackupError: If not.
    """
    found = revision_of(url)
    if found not in known_revisions():
        raise BackupError(f"The backup's store has a schema of revision {found!r}, which is not known here.", _ANOTHER)
    try:
        engine = open_engine(url)
        try:
            inspector = inspect(engine)
            names = set(inspector.get_table_names())
            for table in Base.metadata.sorted_tables:
                if table.name not in names:
                    raise BackupError(f"The backup's store lacks {table.name}.", _ANOTHER)
                there = {column["name"] for column in inspector.get_columns(table.name)}
                if missing := {column.name for column in table.columns} - there:
                    raise BackupError(f"The backup's store lacks {table.name}.{min(missing)}.", _ANOTHER)
        finally:
            engine.dispose()
    except BackupError:
        raise
    except (BackendError, SQLAlchemyError, CommandError) as error:
        raise BackupError(
            f"The backup's store does not open, or cannot be brought up to date ({type(error).__name__}).", _ANOTHER
        ) from error


def check_tracking(path: Path, revision: str) -> None:
    """Check MLflow's SQLite file.

    Raises:
        BackupError: If it is damaged, or of another revision than the backup says.
    """
    _check_pages(path, "MLflow database")
    if revision_of(f"sqlite:///{path}") != revision:
        raise BackupError("The backup's MLflow database has another schema than the backup says.", _ANOTHER)


def rehearse(database: PostgresDatabase, dump: Path, change: Callable[[str], None]) -> None:
    """Restore a dump into a database made for that, change it there, and dump it again in the place of the first.

    Where the user may make no databases, the dump is read to its end, and the change has to wait.

    Args:
        database: Where the dump is to be restored later; on its server the rehearsal takes place.
        dump: The dump.
        change: Checks the restored database at the address that it is given, and brings it up to date.

    Raises:
        BackupError: If it cannot be restored, or the change fails.
    """
    postgres.read_through(dump)
    address = make_url(database.url)
    name = f"restoring_{uuid.uuid4().hex[:12]}"
    engine = create_engine(
        address, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5}
    )
    try:
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        except SQLAlchemyError as error:
            _log.warning("restore_not_rehearsed", error=type(error).__name__)
            return
        try:
            draft = PostgresDatabase(address.set(database=name))
            draft.restore_from(dump)
            change(draft.url)
            draft.copy_to(dump)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    except SQLAlchemyError as error:
        raise BackupError(f"The backup cannot be tried on the server ({type(error).__name__}).") from error
    finally:
        engine.dispose()


def _check_pages(path: Path, what: str) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"The backup's {what} does not open: {error}.", _ANOTHER) from error
    if said != ("ok",):
        raise BackupError(f"The backup's {what} is damaged.", _ANOTHER)
