"""What people have set going from the panel, and what came of it.

Each form carries a key of its own. Whoever sends the same form twice, by a double click or a reload, finds the first
one's outcome: the key is the table's, and the database takes it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from sqlalchemy import Engine, insert, select, update

from ml_backend.i18n import Words, from_plain, to_plain
from ml_backend.store.engine import lock_for_writing, reading, store_time, writing
from ml_backend.store.tables import PanelActionRow

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
