"""Putting a backup in place: first everything is unpacked and looked at, then it takes the place of what is there."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from alembic.config import Config
from alembic.script import ScriptDirectory

from ml_backend.ops.backup import artifact_paths
from ml_backend.ops.backup.contents import (
    DIGESTS,
    HEADER,
    STORE,
    TRACKING,
    BackupError,
    Folder,
    Header,
    folders_of,
)
from ml_backend.ops.backup.databases import PostgresDatabase, SqliteDatabase, database_at, has_rows
from ml_backend.ops.backup.writing import tracking_database
from ml_backend.ops.locks import housekeeping
from ml_backend.ops.run_folder import locked
from ml_backend.settings import Settings
from ml_backend.store.engine import open_engine

_DRAFT, _FORMER = ".restoring", ".replaced"
_CHUNK = 1 << 20
#: Header and digests of any backup are smaller.
_MOST_BYTES = 256 << 20

Step = Callable[[str], None]
_AnyDatabase = SqliteDatabase | PostgresDatabase


def restore_backup(settings: Settings, path: Path, *, force: bool = False, step: Step = lambda _what: None) -> Header:
    """Put everything that a backup holds where the settings say.

    Nothing is touched before the whole file was read and every digest was right. What takes places then is moved, not
    copied, and moved back if a later step fails; the store is last.

    Args:
        settings: Where everything is to be. Its databases must be of the kinds that the backup was made of.
        path: The backup.
        force: Whether to replace what is there.
        step: Told of each step.

    Returns:
        What the backup says of itself.

    Raises:
        BackupError: If the file is none or damaged, was made by a later version, or there is something already.
        BackendError: If a system runs in the folder.
    """
    folders = folders_of(settings)
    store, tracking = database_at(settings.store_url), tracking_database(settings)
    with locked(settings.run_dir), housekeeping(settings.run_dir), _drafts(settings, folders) as drafts:
        header = _unpack(path, drafts, lambda header: _fits(header, settings, store, tracking, folders, force), step)
        _put_in_place(header, drafts, settings, store, tracking, folders, step)
    # What an older version made is brought up to date.
    open_engine(settings.store_url).dispose()
    return header


def _fits(
    header: Header,
    settings: Settings,
    store: _AnyDatabase,
    tracking: _AnyDatabase | None,
    folders: tuple[Folder, ...],
    force: bool,
) -> None:
    """Make sure that a backup can be restored here.

    Raises:
        BackupError: If it cannot.
    """
    if header.store != store.kind:
        raise BackupError(
            f"The backup's store is {header.store}, and DATABASE_URL names {store.kind}.",
            "Restore into a database of the same kind.",
        )
    if header.tracking is not None and (tracking is None or header.tracking != tracking.kind):
        raise BackupError(
            f"The backup's MLflow database is {header.tracking}, and MLFLOW_TRACKING_URI names another kind.",
            "Restore into a database of the same kind.",
        )
    if header.store_revision not in _known_revisions():
        raise BackupError(
            f"The backup was made by a later version ({header.version}): its store is of revision "
            f"«{header.store_revision}».",
            "Restore it with that version.",
        )
    there = [f"{folder.path} has files" for folder in folders if next(folder.files(), None) is not None]
    there += [f"the {name} has rows" for name, one in ((STORE, store), (TRACKING, tracking)) if one and has_rows(one)]
    if there and not force:
        raise BackupError(
            f"There is something already: {'; '.join(there)}.",
            "Restore into an empty RUN_DIR (and database), or say --force to replace it all.",
        )
    if header.tracking is None and tracking is None:
        return
    if header.tracking is not None and header.tracking_revision and not _mlflow_knows(header.tracking_revision):
        raise BackupError(
            "The backup was made with a later version of MLflow.", "Install the version that made it, or a later one."
        )


def _known_revisions() -> set[str]:
    config = Config()
    config.set_main_option("script_location", "ml_backend.store:migrations")
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _mlflow_knows(revision: str) -> bool:
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config("sqlite://"))  # type: ignore[no-untyped-call]
    return revision in {script.revision for script in scripts.walk_revisions()}


@contextmanager
def _drafts(settings: Settings, folders: tuple[Folder, ...]) -> Iterator[Mapping[str, Path]]:
    """Give an empty folder for each part, on the file system that the part will lie on; they are removed at the end."""
    places = {folder.name: folder.path for folder in folders}
    drafts = {name: place / _DRAFT for name, place in places.items()} | {"": settings.run_dir.absolute() / _DRAFT}
    with ExitStack() as stack:
        for draft in drafts.values():
            try:
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
            except OSError as error:
                raise BackupError(f"{draft.parent} cannot be written: {error.strerror}.") from error
            stack.callback(shutil.rmtree, draft, ignore_errors=True)
        yield drafts


def _unpack(path: Path, drafts: Mapping[str, Path], fits: Callable[[Header], None], step: Step) -> Header:
    """Unpack a backup and compare every digest.

    Raises:
        BackupError: If it is none, is damaged or cut off, or does not fit.
    """
    header: Header | None = None
    found: dict[str, str] = {}
    wanted: dict[str, str] | None = None
    try:
        with tarfile.open(path, "r:gz", bufsize=_CHUNK) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    raise BackupError(f"The backup is damaged: {member.name} is no file.")
                if header is None:
                    if member.name != HEADER:
                        raise BackupError(f"{path} is no backup.")
                    raw = content.read(_MOST_BYTES)
                    found[HEADER] = hashlib.sha256(raw).hexdigest()
                    header = Header.from_json(raw)
                    fits(header)
                    step("unpacking")
                elif member.name == DIGESTS:
                    wanted = json.loads(content.read(_MOST_BYTES))
                else:
                    target = _target(member.name, drafts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    digest = hashlib.sha256()
                    with target.open("wb") as file:
                        while chunk := content.read(_CHUNK):
                            digest.update(chunk)
                            file.write(chunk)
                    found[member.name] = digest.hexdigest()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(f"{path} is no backup, or is damaged: {error}.") from error
    except OSError as error:
        raise BackupError(f"{path} cannot be unpacked: {error.strerror or error}.") from error
    if header is None or wanted is None:
        raise BackupError(f"{path} is cut off: its end is missing.", "Take another backup.")
    if found != wanted:
        wrong = next(name for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name))
        raise BackupError(f"The backup is damaged: {wrong} is not as it was.", "Take another backup.")
    return header


def _target(name: str, drafts: Mapping[str, Path]) -> Path:
    """Return where a member is unpacked to, which is never outside its draft.

    Raises:
        BackupError: If its name is none that a backup has.
    """
    parts = PurePosixPath(name).parts
    if name in {STORE, TRACKING}:
        return drafts[""] / name
    if len(parts) < 2 or parts[0] not in drafts or not parts[0] or ".." in parts or "\\" in name:
        raise BackupError(f"The backup is damaged: it holds a file called {name[:100]!r}.")
    return drafts[parts[0]].joinpath(*parts[1:])


def _put_in_place(
    header: Header,
    drafts: Mapping[str, Path],
    settings: Settings,
    store: _AnyDatabase,
    tracking: _AnyDatabase | None,
    folders: tuple[Folder, ...],
    step: Step,
) -> None:
    """Swap what is there for what was unpacked; where that fails, swap back."""
    before, after = Path(header.artifacts), settings.models_dir.absolute()
    copy = drafts[""] / TRACKING
    with ExitStack() as undo:
        for folder in folders:
            step(f"putting the files of {folder.name} in place")
            undo.callback(_swap(folder.path, drafts[folder.name]))
        if header.tracking is not None and tracking is not None:
            step("putting MLflow's database in place")
            if isinstance(tracking, SqliteDatabase):
                artifact_paths.move(f"sqlite:///{copy}", before, after)
                undo.callback(_keep_file(tracking.path))
            tracking.restore_from(copy)
            if isinstance(tracking, PostgresDatabase):
                artifact_paths.move(tracking.url, before, after)
        step("putting the store in place")
        if isinstance(store, SqliteDatabase):
            undo.callback(_keep_file(store.path))
        store.restore_from(drafts[""] / STORE)
        # All is in place: nothing is undone.
        undo.pop_all()
    for folder in folders:
        shutil.rmtree(folder.path / _FORMER, ignore_errors=True)
    for database in (store, tracking):
        if isinstance(database, SqliteDatabase):
            database.path.with_name(database.path.name + _FORMER).unlink(missing_ok=True)


def _swap(folder: Path, draft: Path) -> Callable[[], None]:
    """Move what is in a folder aside and a draft's content into it; return what moves it back.

    Within the folder, which may be a volume of its own and cannot be renamed then.
    """
    former = folder / _FORMER
    shutil.rmtree(former, ignore_errors=True)
    former.mkdir()

    def back() -> None:
        for path in _visible(folder):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in list(former.iterdir()):
            path.rename(folder / path.name)
        former.rmdir()

    try:
        for path in _visible(folder):
            path.rename(former / path.name)
        for path in list(draft.iterdir()):
            path.rename(folder / path.name)
    except OSError as error:
        back()
        raise BackupError(f"{folder} cannot be written: {error.strerror}.") from error
    return back


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name not in {_DRAFT, _FORMER}]


def _keep_file(path: Path) -> Callable[[], None]:
    """Set a database's file aside, and return what puts it back."""
    former = path.with_name(path.name + _FORMER)
    if path.exists():
        # Whole in one file: what the log beside it holds is written into it first.
        SqliteDatabase(path).copy_to(former)

    def back() -> None:
        if former.exists():
            SqliteDatabase(path).restore_from(former)
        else:
            path.unlink(missing_ok=True)

    return back
