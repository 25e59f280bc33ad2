"""Training runs and promotions, as the store keeps them: what is due, what runs, what it came to.

The store is where several processes agree: a claim succeeds once, a project has one run at a time, and a process whose
run was given to another finds out at its next heartbeat. A class is long because it is flat: one short method a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update

from ml_backend.i18n import keep, kept
from ml_backend.store.engine import lock_for_writing, reading, store_time, upsert, writing
from ml_backend.store.tables import LearnedRow, PromotionRow, RunRow

RunState = Literal["due", "running", "finished", "failed", "interrupted"]
Decision = Literal["promoted", "kept"]

#: A run without a sign of life for as long is taken for dead.
HEARTBEAT_TIMEOUT = timedelta(seconds=30)

#: What an interrupted run waits for before it is repeated: nothing at first, then longer each time, so that a run that
#: kills its process does not do so all day.
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    Attributes:
        id: Grows with every run.
        state: ``due`` until a trainer claims it.
        reason: Why it is, or was, due.
        asked: Whether a person asked for it.
        stage: What it is doing, or did last; ``None`` before it starts.
        step: How far the stage is, of ``steps``.
        loss: The latest training loss.
        eta_seconds: How much longer it will probably take.
        heartbeat_at: Its last sign of life.
        learned_up_to: Fingerprint of the annotations that made it due.
        documents: How many usable annotated documents there were then.
        attempt: 1, and one more each time it had to be repeated.
        not_before: When it may start; ``None`` for at once.
        version: The registry's number of what it made.
        decision: Whether that was promoted.
        message: What there is to say of the outcome; a sentence (:class:`model.errors.Words`) where it was one.
        mlflow_run_id: Where its numbers are.
    """

    id: int
    project_id: int
    state: RunState
    reason: str
    asked: bool
    stage: str | None
    step: int | None
    steps: int | None
    loss: float | None
    eta_seconds: float | None
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    learned_up_to: str
    documents: int
    attempt: int
    not_before: datetime | None
    version: int | None
    decision: Decision | None
    message: str | None
    mlflow_run_id: str | None


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of the version that serves a project; a version of ``None`` stands for the weights that ship."""

    id: int
    project_id: int
    version: int | None
    previous: int | None
    at: datetime
    by: str
    reason: str


class RunStore:
    """Keeps runs and promotions; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_run(
        self,
        project_id: int,
        reason: str,
        asked: bool,
        learned_up_to: str,
        documents: int,
        not_before: datetime | None = None,
        attempt: int = 1,
    ) -> Run | None:
        """Note that a run is due.

        Returns:
            The run; ``None`` where one is due already. That one then starts without delay, if a person asked now.
        """
        values = {
            "project_id": project_id,
            "reason": reason,
            "asked": asked,
            "learned_up_to": learned_up_to,
            "documents": documents,
            "attempt": attempt,
            "not_before": not_before,
        }
        with writing(self._engine) as connection:
            return _add_due(connection, values)

    def claim_run(self, run_id: int) -> Run | None:
        """Take a due run, for this process to do.

        Returns:
            The run; ``None`` if it is no longer due, may not start yet, or another of its project is alive. Another
            without a sign of life for :data:`HEARTBEAT_TIMEOUT` is set ``interrupted``: this run takes its place.
        """
        with writing(self._engine) as connection:
            now = store_time(connection)
            mine = (
                RunRow.id == run_id,
                RunRow.state == "due",
                or_(RunRow.not_before.is_(None), RunRow.not_before <= now),
            )
            project_id = connection.scalar(select(RunRow.project_id).where(*mine))
            if project_id is None:
                return None
            lock_for_writing(connection, project_id)
            running = (RunRow.project_id == project_id, RunRow.state == "running")
            dead = update(RunRow).where(*running, RunRow.heartbeat_at < now - HEARTBEAT_TIMEOUT)
            connection.execute(dead.values(state="interrupted", finished_at=now, eta_seconds=None))
            if connection.scalar(select(RunRow.id).where(*running)) is not None:
                return None
            started = update(RunRow).where(*mine).values(state="running", started_at=now, heartbeat_at=now)
            found = connection.execute(started.returning(*_RUN_COLUMNS)).mappings().one_or_none()
        return Run(**found) if found else None

    def report(
        self,
        run_id: int,
        stage: str,
        step: int | None = None,
        steps: int | None = None,
        loss: float | None = None,
        eta_seconds: float | None = None,
    ) -> bool:
        """Say how far a run is; this is a heartbeat too.

        Returns:
            Whether the run is still the caller's. Where it is not, another process repeats it, or will: stop, and leave
            no trace.
        """
        progress = {"stage": stage, "step": step, "steps": steps, "loss": loss, "eta_seconds": eta_seconds}
        return self._change_running(run_id, **progress)

    def beat(self, run_id: int) -> bool:
        """Give a sign of life; the answer is that of :meth:`report`."""
        return self._change_running(run_id)

    def finish(
        self,
        run_id: int,
        state: Literal["finished", "failed"],
        decision: Decision | None = None,
        version: int | None = None,
        message: str | None = None,
        mlflow_run_id: str | None = None,
    ) -> bool:
        """Note what a run came to; the answer is that of :meth:`report`.

        What a finished run has learned from (:meth:`record_learned`) counts from now on; that of a failed one is
        forgotten, and that of earlier ones too.
        """
        changes = {"decision": decision, "version": version, "message": message and keep(message)}
        changes["mlflow_run_id"] = mlflow_run_id
        with writing(self._engine) as connection:
            done = connection.execute(
                update(RunRow)
                .where(RunRow.id == run_id, RunRow.state == "running")
                .values(state=state, finished_at=store_time(connection), eta_seconds=None, **changes)
                .returning(RunRow.project_id)
            ).scalar_one_or_none()
            if done is None:
                return False
            obsolete = LearnedRow.run_id == run_id
            if state == "finished":
                earlier = select(RunRow.id).where(RunRow.project_id == done, RunRow.id < run_id)
                obsolete = LearnedRow.run_id.in_(earlier)
            connection.execute(delete(LearnedRow).where(obsolete))
        return True

    def record_learned(self, run_id: int, digests: Mapping[int, str]) -> None:
        """Note which documents a run learns from.

        Args:
            run_id: The run.
            digests: By task, the digest of the annotation that it learns from.
        """
        rows = [{"run_id": run_id, "task_id": task, "digest": digest} for task, digest in digests.items()]
        with writing(self._engine) as connection:
            connection.execute(delete(LearnedRow).where(LearnedRow.run_id == run_id))
            upsert(connection, LearnedRow, rows)

    def learned(self, project_id: int) -> dict[int, str]:
        """Return what the project's last finished run learned from, as :meth:`record_learned` takes it."""
        last = (
            select(RunRow.id)
            .where(RunRow.project_id == project_id, RunRow.state == "finished")
            .order_by(RunRow.id.desc())
            .limit(1)
        ).scalar_subquery()
        with reading(self._engine) as connection:
            rows = connection.execute(select(LearnedRow.task_id, LearnedRow.digest).where(LearnedRow.run_id == last))
            return {row.task_id: row.digest for row in rows}

    def run(self, run_id: int) -> Run | None:
        """Return one run, ``None`` where there is none of that number."""
        found = self._runs(RunRow.id == run_id)
        return found[0] if found else None

    def runs(self, project_id: int | None = None, limit: int = 20) -> list[Run]:
        """Return the latest runs of a project, or of all, newest first."""
        chosen = () if project_id is None else (RunRow.project_id == project_id,)
        return self._runs(*chosen, limit=limit)

    def due_runs(self) -> list[Run]:
        """Return the runs that may start now, oldest first."""
        may_start = or_(RunRow.not_before.is_(None), RunRow.not_before <= self._now())
        return self._runs(RunRow.state == "due", may_start)[::-1]

    def stale_runs(self, older_than: timedelta = HEARTBEAT_TIMEOUT) -> list[Run]:
        """Return the running runs whose last sign of life is older, oldest first."""
        return self._runs(RunRow.state == "running", RunRow.heartbeat_at < self._now() - older_than)[::-1]

    def interrupt(self, run_id: int) -> Run | None:
        """Give up on a running run and have it repeated: at once the first time, later with growing delay.

        Returns:
            The run that repeats it; ``None`` where one is due already, or the run does not run (any more).
        """
        given_up = update(RunRow).where(RunRow.id == run_id, RunRow.state == "running").returning(*_RUN_COLUMNS)
        with writing(self._engine) as connection:
            now = store_time(connection)
            project_id = connection.scalar(select(RunRow.project_id).where(RunRow.id == run_id))
            if project_id is None:
                return None
            # Before the run's row is: what claims the project's next run does so in the same order.
            lock_for_writing(connection, project_id)
            given_up = given_up.values(state="interrupted", finished_at=now, eta_seconds=None)
            found = connection.execute(given_up).mappings().one_or_none()
            if found is None:
                return None
            connection.execute(delete(LearnedRow).where(LearnedRow.run_id == run_id))
            run = Run(**found)
            delay = min(_FIRST_DELAY * 4 ** min(run.attempt - 2, 6), _LONGEST_DELAY) if run.attempt > 1 else None
            values = {
                "project_id": run.project_id,
                "reason": run.reason,
                "asked": run.asked,
                "learned_up_to": run.learned_up_to,
                "documents": run.documents,
                "attempt": run.attempt + 1,
                "not_before": now + delay if delay else None,
            }
            return _add_due(connection, values)

    def check_writable(self) -> None:
        """Make sure that the store can be written now, before something else is changed that it has to keep.

        Raises:
            StoreError: If it cannot.
        """
        with writing(self._engine) as connection:
            connection.execute(select(PromotionRow.id).limit(1))

    def add_promotion(
        self, project_id: int, version: int | None, previous: int | None, by: str, reason: str
    ) -> Promotion:
        """Note that ``version`` serves a project from now on, in place of ``previous``."""
        values = {"project_id": project_id, "version": version, "previous": previous, "by": by, "reason": keep(reason)}
        with writing(self._engine) as connection:
            statement = insert(PromotionRow).values(values | {"at": store_time(connection)})
            return _promotion(connection.execute(statement.returning(*_PROMOTION_COLUMNS)).mappings().one())

    def promotions(self, project_id: int, limit: int = 100) -> list[Promotion]:
        """Return the latest promotions of a project, newest first."""
        chosen = select(*_PROMOTION_COLUMNS).where(PromotionRow.project_id == project_id)
        with reading(self._engine) as connection:
            found = connection.execute(chosen.order_by(PromotionRow.id.desc()).limit(limit)).mappings().all()
        return [_promotion(row) for row in found]

    def _change_running(self, run_id: int, **values: Any) -> bool:
        """Change a run that is still running, with a sign of life."""
        mine = (RunRow.id == run_id, RunRow.state == "running")
        with writing(self._engine) as connection:
            values["heartbeat_at"] = store_time(connection)
            return connection.execute(update(RunRow).where(*mine).values(values)).rowcount == 1

    def _now(self) -> datetime:
        with reading(self._engine) as connection:
            return store_time(connection)

    def _runs(self, *conditions: Any, limit: int = 1000) -> list[Run]:
        chosen = select(*_RUN_COLUMNS).where(*conditions).order_by(RunRow.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_run(row) for row in connection.execute(chosen).mappings()]


_RUN_COLUMNS = tuple(RunRow.__table__.columns)
_PROMOTION_COLUMNS = tuple(PromotionRow.__table__.columns)


def _add_due(connection: Connection, values: dict[str, Any]) -> Run | None:
    """Add a due run, unless there is one."""
    project_id = values["project_id"]
    lock_for_writing(connection, project_id)
    waiting = (RunRow.project_id == project_id, RunRow.state == "due")
    if connection.scalar(select(RunRow.id).where(*waiting)) is not None:
        if values["asked"]:
            connection.execute(update(RunRow).where(*waiting).values(asked=True, not_before=None))
        return None
    row = values | {"state": "due", "created_at": store_time(connection)}
    return _run(connection.execute(insert(RunRow).values(row).returning(*_RUN_COLUMNS)).mappings().one())


def _run(row: Mapping[Any, Any]) -> Run:
    return Run(**{**row, "message": row["message"] and kept(row["message"])})


def _promotion(row: Mapping[Any, Any]) -> Promotion:
    return Promotion(**{**row, "reason": kept(row["reason"])})
