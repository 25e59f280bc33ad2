"""What a backup file holds, and what it says of itself.

A gzipped tar file: first ``backup.json``, then the databases and the files of three folders, last ``digests.json``, so
that a file that was cut off is known for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ml_backend.errors import BackendError
from ml_backend.settings import Settings

FORMAT = 1
HEADER, DIGESTS = "backup.json", "digests.json"
STORE, TRACKING = "store", "mlflow"


class BackupError(BackendError):
    """A backup that cannot be made, read or restored."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup says of itself.

    Attributes:
        format: Of the file; :data:`FORMAT`.
        version: The program's that made it.
        made_at: When, in UTC, ISO 8601.
        store: Kind of the store's database, ``sqlite`` or ``postgresql``.
        store_revision: Its schema's.
        tracking: Kind of MLflow's database; ``None`` where a server keeps it, which is backed up by itself.
        tracking_revision: Its schema's.
        artifacts: Folder of the model versions' files then, which MLflow's database names.
        settings: All settings that are no secret, as text; addresses without their passwords.
        notes: What is not in it, and why.
    """

    format: int
    version: str
    made_at: str
    store: str
    store_revision: str
    tracking: str | None
    tracking_revision: str
    artifacts: str
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return it as a file's content."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()

    @staticmethod
    def from_json(content: bytes) -> Header:
        """Read it back.

        Raises:
            BackupError: If it is none, or of a later format.
        """
        try:
            values = json.loads(content)
            if values["format"] != FORMAT:
                raise BackupError(
                    f"The backup is of format {values['format']}, and this program reads format {FORMAT}.",
                    f"It was made by version {values.get('version')}: restore it with that one.",
                )
            return Header(**values | {"notes": tuple(values["notes"])})
        except (ValueError, KeyError, TypeError) as error:
            raise BackupError("The file is no backup: its first part cannot be read.") from error


@dataclass(frozen=True, slots=True)
class Folder:
    """One of the folders whose files a backup holds.

    Attributes:
        name: Within the backup.
        path: On this machine.
        wanted: Takes a path relative to the folder and tells whether it belongs into a backup.
    """

    name: str
    path: Path
    wanted: Callable[[Path], bool]

    def files(self) -> Iterator[Path]:
        """Yield the files that belong into a backup, from the folder, in order."""
        for path in sorted(self.path.rglob("*")) if self.path.is_dir() else ():
            relative = path.relative_to(self.path)
            if path.is_file() and not path.is_symlink() and self.wanted(relative):
                yield relative


def folders_of(settings: Settings) -> tuple[Folder, ...]:
    """Return the folders whose files are backed up: model versions, samples, and crops of annotated lines."""
    return (
        # What was fetched from a server can be fetched again.
        Folder("models", settings.models_dir.absolute(), lambda path: _open(path) and path.parts[0] != "fetched"),
        Folder("training_data", settings.training_data_dir.absolute(), _open),
        # What was computed from the crops is computed again.
        Folder("lines", (settings.run_dir / "lines").absolute(), lambda path: _open(path) and path.suffix == ".png"),
    )


def _open(path: Path) -> bool:
    """Tell whether a path is no draft: those begin with a dot."""
    return not any(part.startswith(".") for part in path.parts)
