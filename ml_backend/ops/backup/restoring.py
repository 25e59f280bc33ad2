"""Putting a backup in place: all is unpacked, checked and brought up to date before it takes any place."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

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
from ml_backend.ops.backup.drafts import bring_up_to_date, check_store, check_tracking, known_revisions, rehearse
from ml_backend.ops.backup.swapping import DRAFT, FORMER, Part, finish, read_journal, swap
from ml_backend.ops.backup.writing import tracking_database
from ml_backend.ops.data_lock import alone
from ml_backend.ops.locks import housekeeping
from ml_backend.ops.run_folder import locked
from ml_backend.settings import Settings
from ml_backend.store.engine import open_engine

_CHUNK = 1 << 20
#: Header and digests of any backup are smaller.
_MOST_BYTES = 256 << 20

Step = Callable[[str], None]
_AnyDatabase = SqliteDatabase | PostgresDatabase


def restore_backup(settings: Settings, path: Path, *, force: bool = False, step: Step = lambda _what: None) -> Header:
    """Put everything that a backup holds where the settings say.

    Nothing is touched before the whole file was read, every digest was right, and the databases were opened, checked
    and brought up to date. What takes places then is moved, not copied, each step written down before it is taken
    (:mod:`ml_backend.ops.backup.swapping`); the store is last.

    Args:
        settings: Where everything is to be. Its databases must be of the kinds that the backup was made of.
        path: The backup.
        force: Whether to replace what is there.
        step: Told of each step.

    Returns:
        What the backup says of itself.

    Raises:
        BackupError: If the file is none or damaged, was made by a later version, or there is something already.
        InUseError: If a role, a command or another restore uses the data.
        LaunchError: If a system runs in the folder.
    """
    folders = folders_of(settings)
    store, tracking = database_at(settings.store_url), tracking_database(settings)
    with locked(settings.run_dir), alone(settings.run_dir, settings.store_url), housekeeping(settings.run_dir):
        if said := finish_restore(settings):
            step(said)
        with _drafts(settings, folders) as drafts:
            header = _unpack(
                path, drafts, lambda header: _fits(header, settings, store, tracking, folders, force), step
            )
            parts = _parts(header, drafts, settings, store, tracking, folders, step)
            swap(settings.run_dir, parts, _addresses(store, tracking), step)
    if isinstance(store, PostgresDatabase):
        # One without the right to make databases was not brought up to date beforehand.
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
    if header.store_revision not in known_revisions():
        raise BackupError(
            f"The backup was made by a later version ({header.version}): its store is of revision "
            f"{header.store_revision!r}.",
            "Restore it with that version.",
        )
    if not force:
        _refuse_to_replace(store, tracking, folders)
    if header.tracking is None and tracking is None:
        return
    if header.tracking is not None and header.tracking_revision and not _mlflow_knows(header.tracking_revision):
        raise BackupError(
            "The backup was made with a later version of MLflow.", "Install the version that made it, or a later one."
        )


def _refuse_to_replace(store: _AnyDatabase, tracking: _AnyDatabase | None, folders: tuple[Folder, ...]) -> None:
    """Make sure that there is nothing that a restore would replace.

    Raises:
        BackupError: If there is.
    """
    there = [f"{folder.path} has files" for folder in folders if next(folder.files(), None) is not None]
    there += [said for name, one in ((STORE, store), (TRACKING, tracking)) if one and (said := _what_is_in(name, one))]
    if there:
        raise BackupError(
            f"There is something already: {'; '.join(there)}.",
            "Restore into an empty RUN_DIR (and database), or say --force to replace it all.",
        )


def _what_is_in(name: str, database: _AnyDatabase) -> str:
    try:
        return f"the {name} has rows" if has_rows(database) else ""
    except BackupError:
        return f"the {name} cannot be read"


def _mlflow_knows(revision: str) -> bool:
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config("sqlite://"))  # type: ignore[no-untyped-call]
    return revision in {script.revision for script in scripts.walk_revisions()}


@contextmanager
def _drafts(settings: Settings, folders: tuple[Folder, ...]) -> Iterator[Mapping[str, Path]]:
    """Give an empty folder for each part, on the file system that the part will lie on; they are removed at the end."""
    places = {folder.name: folder.path for folder in folders}
    drafts = {name: place / DRAFT for name, place in places.items()} | {"": settings.run_dir.absolute() / DRAFT}
    with ExitStack() as stack:
        for draft in drafts.values():
            try:
                shutil.rmtree(draft, ignore_errors=True)
                # What a restore that was killed at its very end did not get to remove.
                shutil.rmtree(draft.with_name(FORMER), ignore_errors=True)
                draft.mkdir(mode=0o700, parents=True)
            except OSError as error:
                raise BackupError(f"{draft.parent} cannot be written: {error.strerror}.") from error
            stack.callback(_discard, draft, settings.run_dir)
        yield drafts


def _discard(draft: Path, run_dir: Path) -> None:
    # A swap that was cut off, by Ctrl-C or a server that is gone, needs its drafts to be finished.
    if read_journal(run_dir) is None:
        shutil.rmtree(draft, ignore_errors=True)


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


def _parts(
    header: Header,
    drafts: Mapping[str, Path],
    settings: Settings,
    store: _AnyDatabase,
    tracking: _AnyDatabase | None,
    folders: tuple[Folder, ...],
    step: Step,
) -> tuple[Part, ...]:
    """Check the drafts, bring them up to date, and lay them ready; return what is to be swapped, the store last.

    Raises:
        BackupError: If one cannot be used.
    """
    copies: list[tuple[str, _AnyDatabase]] = [(STORE, store)]
    if header.tracking is not None and tracking is not None:
        step("checking MLflow's database")
        copy = drafts[""] / TRACKING
        if isinstance(tracking, SqliteDatabase):
            check_tracking(copy, header.tracking_revision)
            artifact_paths.move(f"sqlite:///{copy}", Path(header.artifacts), settings.models_dir.absolute())
        else:
            before, after = Path(header.artifacts), settings.models_dir.absolute()
            rehearse(tracking, copy, lambda url: artifact_paths.move(url, before, after))
        copies.insert(0, (TRACKING, tracking))
    step("checking the store, and bringing it up to date")
    copy = drafts[""] / STORE
    if isinstance(store, SqliteDatabase):
        bring_up_to_date(copy)
    else:
        rehearse(store, copy, check_store)
    return (
        *(Part(folder.name, "folder", str(folder.path), str(drafts[folder.name])) for folder in folders),
        *(_laid_ready(name, database, drafts[""] / name, settings) for name, database in copies),
    )


def _laid_ready(name: str, database: _AnyDatabase, copy: Path, settings: Settings) -> Part:
    """Put a database's draft where one move puts it in place, and keep what there is to return to."""
    if isinstance(database, SqliteDatabase):
        draft = database.path.with_name(database.path.name + DRAFT)
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            for suffix in ("-wal", "-shm", "-journal"):
                Path(f"{draft}{suffix}").unlink(missing_ok=True)
            shutil.move(copy, draft)
            draft.chmod(0o600)
        except OSError as error:
            raise BackupError(f"{draft} cannot be written: {error.strerror}.") from error
        return Part(name, "sqlite", str(database.path), str(draft))
    draft, former = (settings.run_dir.absolute() / f"{name}{suffix}" for suffix in (DRAFT, FORMER))
    shutil.move(copy, draft)
    former.unlink(missing_ok=True)
    try:
        database.copy_to(former)
    except BackupError:
        # It is damaged, or not there: nothing to return to.
        former.unlink(missing_ok=True)
    return Part(name, "postgresql", str(former), str(draft))


def finish_restore(settings: Settings) -> str:
    """Finish, or take back, a restore that was cut off; only for who has the data alone.

    Returns:
        What was done, for people; empty where there was nothing to do.

    Raises:
        BackupError: If it can be neither finished nor taken back.
    """
    if read_journal(settings.run_dir) is None:
        return ""
    return finish(settings.run_dir, _addresses(database_at(settings.store_url), tracking_database(settings)))


def _addresses(store: _AnyDatabase, tracking: _AnyDatabase | None) -> dict[str, str]:
    databases = {STORE: store, TRACKING: tracking}
    return {name: database.url for name, database in databases.items() if isinstance(database, PostgresDatabase)}
