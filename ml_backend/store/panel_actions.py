"""What people have set going from the panel, and what came of it.

Each form carries a key of its own. A visitor who sends the same form twice, by a double click or a reload, finds
the first one's outcome: the key is the table's, and the database takes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection, Engine, insert, select, update

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, from_plain, said_by, say, to_plain
from ml_backend.observability.logs import get_logger
from ml_backend.store.engine import lock_for_writing, reading, store_time, writing
from ml_backend.store.heartbeat import beating
from ml_backend.store.tables import PanelActionRow
from model.errors import ModelError

_log = get_logger(__name__)

ActionState = Literal["running", "done", "failed"]

#: Seconds between two signs of life of a running action.
BEAT_SECONDS = 15.0
#: An action that has given no sign of life for so long has died with its process.
LOST_AFTER = timedelta(seconds=60)
#: So long an action may wait for the process that goes on with it.
HANDED_OVER = timedelta(hours=1)

INTERRUPTED = say("It was interrupted: the process that did it has ended. Press the button again.")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person has set going.

    Attributes:
        key: Its form's.
        name: Such as ``sync``.
        outcome: What came of it, a sentence each.
    """

    key: str
    project_id: int
    name: str
    state: ActionState
    started_at: datetime
    finished_at: datetime | None
    outcome: tuple[Words, ...]


class ActionStore:
    """Keeps actions; threads and processes may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
        clock: Gives the time, in UTC, by the store.
    """

    def __init__(self, engine: Engine, clock: Callable[[Connection], datetime] = store_time) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, key: str, project_id: int, name: str) -> bool:
        """Note that an action begins.

        Returns:
            Whether it may: not if the same form was sent before, nor while the same action of the project runs.
        """
        same = select(PanelActionRow.key).where(PanelActionRow.key == key)
        running = select(PanelActionRow.key).where(
            PanelActionRow.project_id == project_id, PanelActionRow.name == name, PanelActionRow.state == "running"
        )
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            now = self._clock(connection)
            running = running.where(PanelActionRow.alive_at > now - LOST_AFTER)
            if connection.scalar(same) is not None or connection.scalar(running.limit(1)) is not None:
                return False
            values = {"key": key, "project_id": project_id, "name": name, "state": "running", "started_at": now}
            connection.execute(insert(PanelActionRow).values(values | {"alive_at": now, "outcome": []}))
        return True

    def beat(self, key: str) -> None:
        """Note that an action is alive."""
        self._note_alive(key, timedelta(0))

    def hand_over(self, key: str) -> None:
        """Note that another process goes on with an action: until that one beats, an hour may pass."""
        self._note_alive(key, HANDED_OVER)

    def _note_alive(self, key: str, ahead: timedelta) -> None:
        row = update(PanelActionRow).where(PanelActionRow.key == key, PanelActionRow.state == "running")
        with writing(self._engine) as connection:
            connection.execute(row.values(alive_at=self._clock(connection) + ahead))

    def end(self, key: str, state: Literal["done", "failed"], outcome: Sequence[Words]) -> None:
        """Note what came of an action."""
        with writing(self._engine) as connection:
            finished = {"state": state, "finished_at": self._clock(connection)}
            values = finished | {"outcome": [to_plain(words) for words in outcome]}
            connection.execute(update(PanelActionRow).where(PanelActionRow.key == key).values(values))

    def action(self, key: str) -> Action | None:
        """Return one action."""
        found = self._actions(PanelActionRow.key == key, limit=1)
        return found[0] if found else None

    def latest(self, project_id: int, limit: int = 8) -> list[Action]:
        """Return a project's latest actions, newest first."""
        return self._actions(PanelActionRow.project_id == project_id, limit=limit)

    def _actions(self, condition: object, limit: int) -> list[Action]:
        chosen = select(*PanelActionRow.__table__.columns).where(condition)  # type: ignore[arg-type]
        with reading(self._engine) as connection:
            rows = connection.execute(chosen.order_by(PanelActionRow.started_at.desc()).limit(limit)).mappings().all()
            now = self._clock(connection)
        return [_action(dict(row), now) for row in rows]


def _action(row: dict[str, Any], now: datetime) -> Action:
    alive_at = row.pop("alive_at")
    if row["state"] == "running" and (alive_at is None or now - alive_at >= LOST_AFTER):
        return Action(**row | {"state": "failed", "outcome": (INTERRUPTED,)})
    return Action(**row | {"outcome": tuple(from_plain(item) for item in row["outcome"])})


Work = Callable[[], "Sequence[Words] | None"]
"""Returns what it came to; ``None`` where another process goes on with it, and ends it (:func:`finish`)."""


def finish(store: ActionStore, key: str, name: str, project_id: int, work: Work) -> None:
    """Do an action's work, and keep what came of it; errors are an outcome too. Meanwhile it gives signs of life."""
    try:
        with beating(partial(store.beat, key), BEAT_SECONDS):
            outcome = work()
        if outcome is None:
            store.hand_over(key)
        else:
            store.end(key, "done", tuple(outcome))
            _log.info("panel_action_done", action=name, project=project_id)
    except BackendError as error:
        _log.warning("panel_action_failed", action=name, project=project_id, error=str(error))
        said = [say("{error}", error=error.message), say("{hint}", hint=error.hint)]
        _fail(store, key, said[: 2 if error.hint else 1])
    except ModelError as error:
        _log.warning("panel_action_failed", action=name, project=project_id, error=str(error))
        _fail(store, key, [say("{error}", error=said_by(error))])
    except Exception:  # noqa: BLE001 - the thread's, or the job's, boundary: a page waits for the outcome
        _log.exception("panel_action_failed_unexpectedly", action=name, project=project_id)
        _fail(store, key, [say("It failed; the log of the backend says why.")])


def _fail(store: ActionStore, key: str, outcome: Sequence[Words]) -> None:
    try:
        store.end(key, "failed", outcome)
    except BackendError as error:
        _log.error("panel_action_not_noted", error=str(error))
