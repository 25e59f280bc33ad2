"""Databases that can be copied while they are in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import URL, create_engine, inspect, make_url, select, table
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ml_backend.ops.backup import postgres
from ml_backend.ops.backup.contents import BackupError

#: Where both of our databases keep the revision of their schema.
_REVISIONS = "alembic_version"


class Database(Protocol):
    """One database."""

    kind: Literal["sqlite", "postgresql"]

    @property
    def url(self) -> str:
        """Its SQLAlchemy address."""
        ...

    def copy_to(self, path: Path) -> None:
        """Write a copy that is consistent, however busy it is.

        Raises:
            BackupError: If it cannot be read.
        """
        ...


class SqliteDatabase:
    """A file.

    Args:
        path: The file; need not be there.
    """

    kind: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def url(self) -> str:
        """Its SQLAlchemy address."""
        return f"sqlite:///{self.path}"

    def copy_to(self, path: Path) -> None:
        """Copy by SQLite's own online backup: writers wait for no longer than one transaction takes.

        Raises:
            BackupError: If it cannot be read.
        """
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as source, closing(sqlite3.connect(path)) as target:
                source.backup(target)
                # The copy is one file.
                target.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"{self.path} cannot be copied: {error}.") from error


class PostgresDatabase:
    """A database of a PostgreSQL server.

    Args:
        address: Its parsed address.
    """

    kind: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, address: URL) -> None:
        self._address = address

    @property
    def url(self) -> str:
        """Its SQLAlchemy address, with the password."""
        return self._address.render_as_string(hide_password=False)

    def copy_to(self, path: Path) -> None:
        """Copy with ``pg_dump``, which sees one moment of the database.

        Raises:
            BackupError: If it cannot be read.
        """
        postgres.dump(self._address, path)

    def restore_from(self, path: Path) -> None:
        """Restore with ``pg_restore``, in one transaction.

        Raises:
            BackupError: If it cannot be written; nothing has changed then.
        """
        postgres.restore(self._address, path)


def database_at(url: str) -> SqliteDatabase | PostgresDatabase:
    """Return the database at a SQLAlchemy address.

    Raises:
        BackupError: If it is of a kind that cannot be backed up.
    """
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise BackupError("DATABASE_URL or MLFLOW_TRACKING_URI is no address of a database.") from error
    if address.get_backend_name() == "sqlite" and address.database and address.database != ":memory:":
        return SqliteDatabase(Path(address.database))
    if address.get_backend_name() == "postgresql":
        return PostgresDatabase(address)
    raise BackupError(
        f"A database of the kind {address.get_backend_name()} cannot be backed up here.", "Use its own tools."
    )


def has_rows(database: SqliteDatabase | PostgresDatabase) -> bool:
    """Tell whether there is anything in a database but a schema.

    Raises:
        BackupError: If it cannot be read.
    """
    if isinstance(database, SqliteDatabase) and not database.path.exists():
        return False
    return any(_scan(database.url, count=True).values())


def revision_of(url: str) -> str:
    """Return the revision of a database's schema; empty where it has none.

    Raises:
        BackupError: If it cannot be read.
    """
    return str(_scan(url, count=False).get(_REVISIONS, ""))


def _scan(url: str, *, count: bool) -> dict[str, object]:
    """Return, by table, whether it has rows; or the schema's revision alone."""
    try:
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                names = inspect(connection).get_table_names()
                if not count and _REVISIONS not in names:
                    return {}
                if not count:
                    found = connection.exec_driver_sql(f"SELECT version_num FROM {_REVISIONS}").scalar()  # noqa: S608
                    return {_REVISIONS: found or ""}
                return {
                    name: connection.execute(select(1).select_from(table(name)).limit(1)).first() is not None
                    for name in names
                    if name != _REVISIONS and name not in _SEEDED
                }
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise BackupError(f"The database cannot be read ({type(error).__name__}).", "Check its address.") from error


#: Tables that MLflow fills by itself when it makes a database.
_SEEDED = frozenset({"experiments", "workspaces"})
