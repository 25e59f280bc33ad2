"""The addresses of model files within MLflow's database: absolute ones, that change with the folder."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from ml_backend.ops.backup.contents import BackupError

#: Where MLflow 3 keeps addresses of files.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def move(url: str, before: Path, after: Path) -> None:
    """Have MLflow's database look for files that were in one folder in another; addresses elsewhere stay.

    Args:
        url: The database's SQLAlchemy address.
        before: Folder of the files when the backup was made.
        after: Folder of the files now.

    Raises:
        BackupError: If the database cannot be written.
    """
    if before == after:
        return
    try:
        engine = create_engine(url)
        try:
            with engine.begin() as connection:
                tables = set(inspect(connection).get_table_names())
                for table, column in _COLUMNS:
                    if table not in tables:
                        continue
                    found = connection.execute(
                        text(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
                    )
                    for (address,) in found.all():
                        moved = _moved(address, before, after)
                        if moved is not None:
                            change = f"UPDATE {table} SET {column} = :moved WHERE {column} = :address"  # noqa: S608
                            connection.execute(text(change), {"moved": moved, "address": address})
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise BackupError(f"MLflow's database cannot be written ({type(error).__name__}).") from error


def _moved(address: str, before: Path, after: Path) -> str | None:
    """Return the address in the new folder; ``None`` where it is not within the old one."""
    scheme, found, rest = address.partition("://")
    is_uri = bool(found)
    if is_uri and scheme != "file":
        return None
    path = Path(unquote(rest) if is_uri else address)
    if not path.is_relative_to(before):
        return None
    moved = after / path.relative_to(before)
    return moved.as_uri() if is_uri else str(moved)
