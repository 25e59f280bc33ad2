"""What is kept of a project besides its annotations: its configuration as last seen, its own fields, what is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select, update

from ml_backend.store.engine import lock_for_writing, reading, upsert, writing
from ml_backend.store.tables import ProjectFieldRow, ProjectOptionsRow


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that a project has added.

    Attributes:
        name: Its label.
        aliases: What else it is called.
        critical: Whether a document without it must be looked at.
    """

    name: str
    aliases: tuple[str, ...] = ()
    critical: bool = False


class ProjectOptions:
    """Keeps what is known and set of projects; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def label_config(self, project_id: int) -> str | None:
        """Return the labelling configuration as Label Studio last gave it; ``None`` if it never has."""
        found: str | None = self._option(project_id, ProjectOptionsRow.label_config)
        return found

    def remember_label_config(self, project_id: int, label_config: str) -> None:
        """Keep the labelling configuration, for when Label Studio does not answer."""
        if self.label_config(project_id) != label_config:
            self._set(project_id, label_config=label_config)

    def challenger_share(self, project_id: int) -> float | None:
        """Return the challenger's share of the tasks, in ``[0, 1]``; ``None`` where CHALLENGER_SHARE counts."""
        found: float | None = self._option(project_id, ProjectOptionsRow.challenger_share)
        return found

    def set_challenger_share(self, project_id: int, share: float | None) -> None:
        """Give the challenger a share of the tasks; with ``None`` the setting counts again."""
        self._set(project_id, challenger_share=share)

    def fields(self, project_id: int) -> tuple[CustomField, ...]:
        """Return the fields that were added, in order of their names."""
        chosen = select(ProjectFieldRow.name, ProjectFieldRow.aliases, ProjectFieldRow.critical)
        chosen = chosen.where(ProjectFieldRow.project_id == project_id).order_by(ProjectFieldRow.name)
        with reading(self._engine) as connection:
            return tuple(CustomField(row.name, tuple(row.aliases), row.critical) for row in connection.execute(chosen))

    def save_fields(self, project_id: int, fields: Sequence[CustomField]) -> None:
        """Keep fields, in place of those of the same names."""
        rows = [
            {"project_id": project_id, "name": each.name, "aliases": list(each.aliases), "critical": each.critical}
            for each in fields
        ]
        with writing(self._engine) as connection:
            upsert(connection, ProjectFieldRow, rows)

    def _option(self, project_id: int, column: Any) -> Any:
        with reading(self._engine) as connection:
            return connection.scalar(select(column).where(ProjectOptionsRow.project_id == project_id))

    def _set(self, project_id: int, **values: Any) -> None:
        same = ProjectOptionsRow.project_id == project_id
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            if connection.execute(update(ProjectOptionsRow).where(same).values(**values)).rowcount == 0:
                connection.execute(insert(ProjectOptionsRow).values(project_id=project_id, **values))
