"""Making a backup, while everything runs."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from pydantic import SecretStr

from ml_backend import __version__
from ml_backend.observability.redaction import Redactor
from ml_backend.ops.backup.contents import (
    DIGESTS,
    FORMAT,
    HEADER,
    STORE,
    TRACKING,
    BackupError,
    Folder,
    Header,
    folders_of,
)
from ml_backend.ops.backup.databases import PostgresDatabase, SqliteDatabase, database_at, revision_of
from ml_backend.ops.locks import housekeeping
from ml_backend.settings import Settings
from ml_backend.store.atomic_write import replacing

#: Model files hardly shrink, and a strong processor is not what this machine has.
_COMPRESSION = 1
_CHUNK = 1 << 20

Step = Callable[[str], None]
"""Told what is being done, for a person who waits."""


def write_backup(settings: Settings, path: Path, step: Step = lambda _what: None) -> Header:
    """Write everything into one file, which is there when it is whole.

    The store is copied first, then MLflow's database, then the files: whatever the store names is in MLflow's copy, and
    whatever that names is among the files, since versions are made in the other order. Nothing is tidied up meanwhile.

    Args:
        settings: Where everything is.
        path: The file to write; readable by its owner alone, since it holds documents.
        step: Told of each step.

    Raises:
        BackupError: If something cannot be read or written.
    """
    path = path.absolute()
    folders = folders_of(settings)
    if any(path.is_relative_to(folder.path) for folder in folders):
        raise BackupError(f"{path} lies in a folder that is to be backed up.", "Write it elsewhere.")
    store = database_at(settings.store_url)
    tracking = tracking_database(settings)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    with housekeeping(settings.run_dir), tempfile.TemporaryDirectory(dir=settings.run_dir, prefix=".backup-") as draft:
        copies: dict[str, Path] = {}
        for name, database in ((STORE, store), (TRACKING, tracking)):
            if database is not None and _is_there(database):
                step(f"copying the database of {name}")
                copies[name] = Path(draft) / name
                database.copy_to(copies[name])
        if STORE not in copies:
            raise BackupError("There is nothing to back up: no store yet.", "Check RUN_DIR or DATABASE_URL.")
        header = _header(settings, store, tracking if TRACKING in copies else None)
        try:
            with replacing(path) as file:
                _write(file, header, copies, folders, step)
            path.chmod(0o600)
        except OSError as error:
            raise BackupError(f"{path} cannot be written: {error.strerror or error}.") from error
    return header


def tracking_database(settings: Settings) -> SqliteDatabase | PostgresDatabase | None:
    """Return MLflow's database; ``None`` where a server keeps it.

    Raises:
        BackupError: If it is of a kind that cannot be backed up.
    """
    is_server = urlsplit(settings.tracking_uri).scheme in {"http", "https"}
    return None if is_server else database_at(settings.tracking_uri)


class _Writer:
    """Writes members and remembers their digests."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.digests: dict[str, str] = {}

    def content(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content), len(content))

    def file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self._add(name, file, path.stat().st_size)

    def _add(self, name: str, file: BinaryIO, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        digesting = _Digesting(file)
        self._archive.addfile(member, digesting)
        self.digests[name] = digesting.digest.hexdigest()


class _Digesting:
    """A file that is read once, and whose digest is known after."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


def _write(file: BinaryIO, header: Header, copies: dict[str, Path], folders: tuple[Folder, ...], step: Step) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=_COMPRESSION, bufsize=_CHUNK) as archive:
        writer = _Writer(archive)
        writer.content(HEADER, header.to_json())
        for name, path in copies.items():
            writer.file(name, path)
        for folder in folders:
            step(f"the files of {folder.name}")
            for relative in folder.files():
                try:
                    writer.file(f"{folder.name}/{relative.as_posix()}", folder.path / relative)
                except FileNotFoundError:
                    # A draft of somebody's, or a version that was given up meanwhile.
                    continue
        writer.content(DIGESTS, json.dumps(writer.digests, indent=0).encode())


def _header(
    settings: Settings, store: SqliteDatabase | PostgresDatabase, tracking: SqliteDatabase | PostgresDatabase | None
) -> Header:
    notes = [
        "Secrets are not in it: set them again where it is restored.",
        "Label Studio is not in it: back up its own database and files.",
    ]
    if urlsplit(settings.tracking_uri).scheme in {"http", "https"}:
        notes.append("MLflow's server keeps its database and the files of model versions: back it up where it runs.")
    return Header(
        format=FORMAT,
        version=__version__,
        made_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        store=store.kind,
        store_revision=revision_of(store.url),
        tracking=None if tracking is None else tracking.kind,
        tracking_revision="" if tracking is None else revision_of(tracking.url),
        artifacts=str(settings.models_dir.absolute()),
        settings=plain_settings(settings),
        notes=tuple(notes),
    )


def plain_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that a person has set and that are no secret, as they stand in a file ``.env``."""
    redact = Redactor(settings.secrets)
    return {
        name.upper(): redact(str(getattr(settings, name)))
        for name in sorted(settings.model_fields_set)
        if not isinstance(getattr(settings, name), SecretStr)
    }


def _is_there(database: SqliteDatabase | PostgresDatabase) -> bool:
    return not isinstance(database, SqliteDatabase) or database.path.exists()
