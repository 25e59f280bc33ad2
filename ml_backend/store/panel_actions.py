"""What people have set going from the panel, and what came of it.

Each form carries a key of its own. A visitor who sends the same form twice, by a double click or a reload, finds
the first one's outcome: the key is the table's, and the database takes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from sqlalchemy import Engine, insert, select, update

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, from_plain, said_by, say, to_plain
from ml_backend.observability.logs import get_logger
from ml_backend.store.engine import lock_for_writing, reading, store_time, writing
from ml_backend.store.tables import PanelActionRow
from model.errors import ModelError

_log = get_logger(__name__)

ActionState = Literal["running", "done", "failed"]

#: An action that runs longer has died with its process.
LOST_AFTER = timedelta(hours=1)


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
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
            now = store_time(connection)
            running = running.where(PanelActionRow.started_at > now - LOST_AFTER)
            if connection.scalar(same) is not None or connection.scalar(running.limit(1)) is not None:
                return False
            values = {"key": key, "project_id": project_id, "name": name, "state": "running", "started_at": now}
            connection.execute(insert(PanelActionRow).values(values | {"outcome": []}))
        return True

    def end(self, key: str, state: Literal["done", "failed"], outcome: Sequence[Words]) -> None:
        """Note what came of an action."""
        values = {"state": state, "finished_at": datetime.now(timezone.utc), "outcome": [to_plain(w) for w in outcome]}
        with writing(self._engine) as connection:
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
        return [_action(dict(row)) for row in rows]


def _action(row: dict[str, Any]) -> Action:
    action = Action(**row | {"outcome": tuple(from_plain(item) for item in row["outcome"])})
    if action.state == "running" and datetime.now(timezone.utc) - action.started_at > LOST_AFTER:
        return Action(action.key, action.project_id, action.name, "failed", action.started_at, None, ())
    return action


Work = Callable[[], "Sequence[Words] | None"]
"""Returns what it came to; ``None`` where another process goes on with it, and ends it (:func:`finish`)."""


def finish(store: ActionStore, key: str, name: str, project_id: int, work: Work) -> None:
    """Do an action's work, and keep what came of it; errors are an outcome too."""
    try:
        outcome = work()
        if outcome is not None:
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
