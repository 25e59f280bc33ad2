"""What each project's documents have shown, kept for all processes alike: the state of its small model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, select

from ml_backend.store.engine import reading, upsert, writing
from ml_backend.store.tables import ProjectHeadRow


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A project's small model.

    Attributes:
        project_id: The project.
        version: The model version that it belongs to.
        fingerprint: Names the annotations and labels that it was fitted to.
        stamp: Names what it says: predictions that carry another one are renewed.
        documents: How many documents it was fitted to.
        used: Whether it names anything: not where it was measured to name worse than what was known before.
        before: F1 of words on documents left out, without it, in ``[0, 1]``; ``None`` with too few documents.
        after: The same with it.
        data: Its state.
        fitted_at: When.
    """

    project_id: int
    version: str
    fingerprint: str
    stamp: str
    documents: int
    used: bool
    before: float | None
    after: float | None
    data: bytes
    fitted_at: datetime


class ProjectHeads:
    """Keeps one state of each project; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, head: StoredHead) -> None:
        """Keep a state in place of the project's earlier one."""
        row = {name: getattr(head, name) for name in StoredHead.__slots__}
        with writing(self._engine) as connection:
            upsert(connection, ProjectHeadRow, [row])

    def head(self, project_id: int) -> StoredHead | None:
        """Return the state of a project; ``None`` where nothing was learned."""
        columns = ProjectHeadRow.__table__.columns
        with reading(self._engine) as connection:
            row = connection.execute(select(*columns).where(ProjectHeadRow.project_id == project_id)).mappings().first()
        return None if row is None else StoredHead(**row)

    def stamp(self, project_id: int) -> tuple[str, str]:
        """Return the stamp and the fingerprint of a project's state, empty where there is none; cheap."""
        chosen = select(ProjectHeadRow.stamp, ProjectHeadRow.fingerprint)
        with reading(self._engine) as connection:
            row = connection.execute(chosen.where(ProjectHeadRow.project_id == project_id)).first()
        return ("", "") if row is None else (str(row.stamp), str(row.fingerprint))

    def forget(self, project_id: int) -> None:
        """Remove the state of a project."""
        with writing(self._engine) as connection:
            connection.execute(delete(ProjectHeadRow).where(ProjectHeadRow.project_id == project_id))
