"""One housekeeper at a time: a backup must find what it has seen named, so nothing is tidied up meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ml_backend.errors import BackendError

#: For as long a backup waits for somebody who tidies up.
_PATIENCE_SECONDS = 120.0


class FilesBusyError(BackendError):
    """Somebody else puts the files in order."""

    status = 409


@contextmanager
def housekeeping(run_dir: Path, patience: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the files of a run folder for this process alone, as far as backups and tidying go.

    Args:
        run_dir: The folder.
        patience: Seconds to wait for another.

    Raises:
        FilesBusyError: If another holds them for longer.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(run_dir / "housekeeping.lock", timeout=patience):
            yield
    except Timeout as error:
        raise FilesBusyError(
            "A backup, or the removal of old files, is under way.", "Try again when it is done."
        ) from error
