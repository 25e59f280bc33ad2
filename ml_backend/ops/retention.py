"""What is kept, and for how long: old model versions, answered events, readings of pages, leftovers of runs.

Versions go in two steps, so that no lock is needed between machines: first one is marked as retired, and only a later
look, :data:`GRACE` after, removes it, if nothing wants it by then. Whatever decided on it before the mark is done by
then, and promoting it meanwhile takes the mark off.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, exists, or_, select
from sqlalchemy.orm import aliased

from ml_backend.learn.promotion import previously_served
from ml_backend.observability.logs import get_logger
from ml_backend.ops.locks import FilesBusyError, housekeeping
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import reading, writing
from ml_backend.store.runs import RunStore
from ml_backend.store.tables import EventRow, PageRow, TaskImageRow
from model.registry.tracking import RUN_TAG
from model.registry.versions import Registry, Version

#: A version that was retired is removed so much later, and what a run or a download has left is as old by then.
GRACE = timedelta(hours=1)
_LEFTOVER = timedelta(days=1)
#: Rows that are deleted in one transaction: a webhook must not wait for long.
_CHUNK = 500

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a person has set about keeping.

    Attributes:
        versions: Latest versions of each project that are kept besides those that serve or may serve again.
        events: How long answered events are kept; ``None``: for ever.
        pages: How long readings are kept that no task needs; ``None``: for ever.
    """

    versions: int
    events: timedelta | None
    pages: timedelta | None


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much was retired and removed."""

    retired: int = 0
    versions: int = 0
    events: int = 0
    pages: int = 0
    folders: int = 0


class Tidier:
    """Removes what is no longer kept; processes on several machines may do so at once.

    Args:
        engine: The open database.
        registry: Model versions.
        policy: What is kept.
        run_dir: Folder of leftovers of runs.
        artifacts: Folder of the files of versions.
        clock: The time, in UTC.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        policy: Policy,
        run_dir: Path,
        artifacts: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._policy = policy
        self._run_dir = run_dir
        self._artifacts = artifacts
        self._clock = clock
        self._learning = LearningStore(engine)
        self._runs = RunStore(engine)

    def tidy(self) -> Tidied | None:
        """Look at everything once.

        Returns:
            What was removed; ``None`` during a backup, which must find what it has seen.

        Raises:
            StoreError: If the store cannot be read or written.
            ModelError: If MLflow cannot be read or written.
        """
        try:
            with housekeeping(self._run_dir, patience=0):
                retired = removed = 0
                for state in self._learning.projects():
                    now_retired, now_removed = self._tidy_versions(state.id)
                    retired, removed = retired + now_retired, removed + now_removed
                events, pages, folders = self._tidy_events(), self._tidy_pages(), self._tidy_folders()
        except FilesBusyError:
            return None
        tidied = Tidied(retired, removed, events, pages, folders)
        if tidied != Tidied():
            _log.info("tidied", retired=retired, versions=removed, events=events, pages=pages, folders=folders)
        return tidied

    def _tidy_versions(self, project_id: int) -> tuple[int, int]:
        """Retire and remove versions of a project; return how many of each."""
        if any(run.state == "running" for run in self._runs.runs(project_id, 5)):
            # It may start from any of them.
            return 0, 0
        retired = removed = 0
        wanted = self._wanted(project_id)
        for version in self._registry.versions(project_id):
            if version.number in wanted:
                if version.retired_at is not None:
                    self._registry.retire(version, None)
            elif version.retired_at is None:
                self._registry.retire(version, self._clock())
                retired += 1
            elif self._clock() - version.retired_at >= GRACE:
                removed += self._remove(version)
        return retired, removed

    def _wanted(self, project_id: int) -> set[int]:
        """Return the numbers of the versions that serve, may serve again, or are among the latest."""
        champion, challenger = self._registry.champion(project_id), self._registry.challenger(project_id)
        numbers = {each.number for each in (champion, challenger) if each is not None}
        # One rollback leads to the first of these, and what was rolled back from may be wanted again.
        before = (
            *previously_served(self._runs, project_id)[:1],
            *(e.previous for e in self._runs.promotions(project_id, 1)),
        )
        pinned = self._learning.pinned(project_id)
        latest = [version.number for version in self._registry.versions(project_id)[: self._policy.versions]]
        return {number for number in (*numbers, *before, *latest, pinned) if number is not None}

    def _remove(self, version: Version) -> bool:
        # Asked again, since to remove the versions before this one took a while.
        wanted = self._wanted(version.project_id)
        run_id = version.tags.get(RUN_TAG, "")
        if version.number in wanted or not run_id.isdigit():
            return False
        self._registry.discard(version.project_id, int(run_id), wanted)
        _log.info("version_removed", project=version.project_id, version=version.name)
        return True

    def _tidy_events(self) -> int:
        """Delete answered events; duplicates first, since they point to what they repeat."""
        if self._policy.events is None:
            return 0
        old = EventRow.received_at < self._clock() - self._policy.events
        repeat = aliased(EventRow)
        repeated = exists(select(repeat.id).where(repeat.duplicate_of == EventRow.id))
        return self._delete(EventRow.id, EventRow, old, EventRow.duplicate_of.is_not(None)) + self._delete(
            EventRow.id, EventRow, old, EventRow.processed_at.is_not(None), ~repeated
        )

    def _tidy_pages(self) -> int:
        """Delete readings of images that no task shows, and those that a newer one has replaced."""
        if self._policy.pages is None:
            return 0
        newer = aliased(PageRow)
        replaced = exists(
            select(newer.image_key).where(newer.image_key == PageRow.image_key, newer.created_at > PageRow.created_at)
        )
        shown = exists(select(TaskImageRow.image_key).where(TaskImageRow.image_key == PageRow.image_key))
        old = PageRow.created_at < self._clock() - self._policy.pages
        return self._delete(PageRow.image_key, PageRow, old, or_(~shown, replaced))

    def _delete(self, key: Any, table: type[Any], *conditions: Any) -> int:
        """Delete rows that meet all conditions, some at a time; return how many."""
        deleted = 0
        while True:
            with reading(self._engine) as connection:
                keys = connection.scalars(select(key).where(*conditions).limit(_CHUNK)).all()
            if not keys:
                return deleted
            with writing(self._engine) as connection:
                gone = connection.execute(delete(table).where(key.in_(keys), *conditions)).rowcount
            deleted += gone
            if not gone:
                # Another process was quicker.
                return deleted

    def _tidy_folders(self) -> int:
        """Remove what killed runs have left, and downloads of versions that are gone."""
        removed = 0
        for folder in self._old_folders(self._run_dir / "runs"):
            run = self._runs.run(int(folder.name)) if folder.name.isdigit() else None
            if run is None or run.state not in {"due", "running"}:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        fetched = self._old_folders(self._artifacts / "fetched")
        if fetched:
            known = {
                version.name for state in self._learning.projects() for version in self._registry.versions(state.id)
            }
            for folder in fetched:
                if folder.name not in known:
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
        return removed

    def _old_folders(self, parent: Path) -> list[Path]:
        if not parent.is_dir():
            return []
        latest = (self._clock() - _LEFTOVER).timestamp()
        return [path for path in sorted(parent.iterdir()) if path.is_dir() and path.stat().st_mtime < latest]
