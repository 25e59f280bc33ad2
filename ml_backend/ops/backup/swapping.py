"""The swap of what is there for what was unpacked and checked: in steps that are written down before they are taken.

The journal is a file in the run folder. It is there from the moment at which all drafts lie ready, checked, until all
parts are in place or back. The next start or restore that finds it finishes what it says. Each step may be taken
twice, so that it does not matter where a process was killed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import make_url

from ml_backend.observability.logs import get_logger
from ml_backend.ops.backup import postgres
from ml_backend.ops.backup.contents import BackupError
from ml_backend.store.atomic_write import replacing

DRAFT, FORMER = ".restoring", ".replaced"
JOURNAL = "restore.journal"
_FORMAT = 1
_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")

Step = Callable[[str], None]
#: How far a part is: as it was; what was there is aside; the new is in place; on the way back, the new is away again.
Stage = Literal["untouched", "aside", "placed", "emptied"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is swapped.

    Attributes:
        name: For people, and the name of its draft.
        kind: What it is.
        path: The folder or the file; for PostgreSQL, the dump to return to, which may be missing.
        draft: What takes its place.
        stage: How far it is.
    """

    name: str
    kind: Literal["folder", "sqlite", "postgresql"]
    path: str
    draft: str
    stage: Stage = "untouched"


@dataclass(frozen=True, slots=True)
class Journal:
    """What is swapped, how far it is, and which way it goes."""

    parts: tuple[Part, ...]
    back: bool = False


class _Mover(Protocol):
    def set_aside(self, part: Part) -> None: ...
    def place(self, part: Part) -> None: ...
    def take_away(self, part: Part) -> None: ...
    def put_back(self, part: Part) -> None: ...
    def forget(self, part: Part) -> None: ...


def swap(run_dir: Path, parts: tuple[Part, ...], addresses: dict[str, str], step: Step) -> None:
    """Put drafts in place; where a step fails, everything is put back.

    Args:
        run_dir: Holds the journal.
        parts: In the order in which they are put in place.
        addresses: SQLAlchemy addresses of the parts on PostgreSQL, by name; they hold passwords and are not written.
        step: Told of each step.

    Raises:
        BackupError: If a step failed. All is as it was, unless the message says otherwise.
    """
    # Before a word of the swap is written down, what it moves is on the disk.
    os.sync()
    _write(run_dir, Journal(parts))
    _run(run_dir, addresses, step)


def finish(run_dir: Path, addresses: dict[str, str]) -> str:
    """Finish a swap that was cut off, forward or back.

    Returns:
        What was done, for people; empty where there was nothing to do.

    Raises:
        BackupError: If it can be finished in neither direction.
    """
    journal = read_journal(run_dir)
    if journal is None:
        return ""
    try:
        _run(run_dir, addresses, lambda _what: None)
    except BackupError as error:
        if read_journal(run_dir) is not None:
            raise
        return f"A restore that was cut off could not be finished ({error.message}); all is as it was before it."
    if journal.back:
        return "A restore that had failed was taken back; all is as it was before it."
    return "A restore that was cut off was finished."


def read_journal(run_dir: Path) -> Journal | None:
    """Return the journal of a swap that was cut off; ``None`` where there is none.

    Raises:
        BackupError: If it cannot be read.
    """
    path = run_dir.absolute() / JOURNAL
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != _FORMAT:
            raise ValueError("of another format")
        return Journal(tuple(Part(**part) for part in values["parts"]), bool(values["back"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(
            f"{path}, which says how far a restore is that was cut off, cannot be read.",
            "Restore with the version that began it.",
        ) from error


def _write(run_dir: Path, journal: Journal) -> None:
    content = {"format": _FORMAT, "back": journal.back, "parts": [asdict(part) for part in journal.parts]}
    path = run_dir.absolute() / JOURNAL
    try:
        with replacing(path) as file:
            file.write(json.dumps(content, indent=1).encode())
        path.chmod(0o600)
        _sync_folder(path.parent)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(run_dir: Path, addresses: dict[str, str], step: Step) -> None:
    journal = read_journal(run_dir)
    if journal is None:
        return
    movers: dict[str, _Mover] = {"folder": _Folders(), "sqlite": _Files(), "postgresql": _Server(addresses)}
    failure: BackupError | None = None
    if not journal.back:
        try:
            journal = _forward(run_dir, journal, movers, step)
        except (OSError, BackupError) as error:
            _log.warning("restore_failed", error=type(error).__name__)
            failure = error if isinstance(error, BackupError) else _unwritable(error)
            journal = replace(read_journal(run_dir) or journal, back=True)
            _write(run_dir, journal)
    if journal.back:
        try:
            journal = _backward(run_dir, journal, movers, step)
        except OSError as error:
            raise _unwritable(error) from error
    os.sync()
    (run_dir.absolute() / JOURNAL).unlink()
    _sync_folder(run_dir.absolute())
    for part in journal.parts:
        movers[part.kind].forget(part)
    shutil.rmtree(run_dir.absolute() / DRAFT, ignore_errors=True)
    if failure is not None:
        raise failure


def _forward(run_dir: Path, journal: Journal, movers: dict[str, _Mover], step: Step) -> Journal:
    for index, part in enumerate(journal.parts):
        mover = movers[part.kind]
        if part.stage == "untouched":
            step(f"setting aside what is there of {part.name}")
            mover.set_aside(part)
            journal = _noted(run_dir, journal, index, "aside")
        if journal.parts[index].stage == "aside":
            step(f"putting {part.name} in place")
            mover.place(part)
            journal = _noted(run_dir, journal, index, "placed")
    return journal


def _backward(run_dir: Path, journal: Journal, movers: dict[str, _Mover], step: Step) -> Journal:
    for index, part in reversed(list(enumerate(journal.parts))):
        mover = movers[part.kind]
        if part.stage in {"aside", "placed"}:
            step(f"taking {part.name} back")
            mover.take_away(part)
            journal = _noted(run_dir, journal, index, "emptied")
        # What was to be set aside may be so in part.
        mover.put_back(part)
        journal = _noted(run_dir, journal, index, "untouched")
    return journal


def _noted(run_dir: Path, journal: Journal, index: int, stage: Stage) -> Journal:
    parts = list(journal.parts)
    parts[index] = replace(parts[index], stage=stage)
    journal = replace(journal, parts=tuple(parts))
    _write(run_dir, journal)
    return journal


def _unwritable(error: OSError) -> BackupError:
    return BackupError(f"{error.filename or 'The data'} cannot be written: {error.strerror or error}.")


class _Folders:
    """What is in a folder moves within it, since it may be a volume of its own and cannot be renamed then."""

    def set_aside(self, part: Part) -> None:
        self._move(Path(part.path), Path(part.path) / FORMER)

    def place(self, part: Part) -> None:
        self._move(Path(part.draft), Path(part.path))

    def take_away(self, part: Part) -> None:
        self._move(Path(part.path), Path(part.draft))

    def put_back(self, part: Part) -> None:
        self._move(Path(part.path) / FORMER, Path(part.path))

    def forget(self, part: Part) -> None:
        shutil.rmtree(Path(part.path) / FORMER, ignore_errors=True)
        shutil.rmtree(part.draft, ignore_errors=True)

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        if not source.is_dir():
            return
        target.mkdir(parents=True, exist_ok=True)
        for path in [path for path in source.iterdir() if path.name not in {DRAFT, FORMER}]:
            path.rename(target / path.name)


class _Files:
    """An SQLite file, with what lies beside it. It is moved and not opened: it may be damaged."""

    def set_aside(self, part: Part) -> None:
        self._move(Path(part.path), self._former(part))

    def place(self, part: Part) -> None:
        path = Path(part.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path(part.draft).exists():
            # Opening a store meanwhile, which takes no more than a look, has made an empty one.
            for suffix in _SQLITE_SUFFIXES[1:]:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._move(Path(part.draft), path)

    def take_away(self, part: Part) -> None:
        self._move(Path(part.path), Path(part.draft))

    def put_back(self, part: Part) -> None:
        self._move(self._former(part), Path(part.path))

    def forget(self, part: Part) -> None:
        for suffix in _SQLITE_SUFFIXES:
            former = self._former(part)
            former.with_name(former.name + suffix).unlink(missing_ok=True)
            Path(part.draft + suffix).unlink(missing_ok=True)

    @staticmethod
    def _former(part: Part) -> Path:
        path = Path(part.path)
        return path.with_name(path.name + FORMER)

    @staticmethod
    def _move(source: Path, target: Path) -> None:
        for suffix in _SQLITE_SUFFIXES:
            path = source.with_name(source.name + suffix)
            if path.exists():
                path.replace(target.with_name(target.name + suffix))


class _Server:
    """A PostgreSQL database: one transaction replaces it all, and a dump of what was there brings that back."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses

    def set_aside(self, part: Part) -> None:
        """The dump was written before the journal."""

    def place(self, part: Part) -> None:
        self._restore(part, Path(part.draft))

    def take_away(self, part: Part) -> None:
        if Path(part.path).exists():
            self._restore(part, Path(part.path))
        else:
            _log.warning("database_not_taken_back", part=part.name)

    def put_back(self, part: Part) -> None:
        """Taking away has put back."""

    def forget(self, part: Part) -> None:
        Path(part.path).unlink(missing_ok=True)
        Path(part.draft).unlink(missing_ok=True)

    def _restore(self, part: Part, dump: Path) -> None:
        if part.name not in self._addresses:
            raise BackupError(f"The address of {part.name} is not a PostgreSQL server's any more.")
        postgres.restore(make_url(self._addresses[part.name]), dump)
