"""Which task shows which contact's image: a contact has one, however often and from wherever it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from ml_backend.store.contact_ids import ContactId, as_sent
from ml_backend.store.engine import lock_for_writing, reading, store_time, writing
from ml_backend.store.tables import ContactRow

#: A claim that is older without a task is that of a dead process.
CLAIM_SECONDS = 120

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """What asking for a contact's task came to.

    Attributes:
        task_id: The task; ``None`` where there is none yet.
        mine: Whether the caller is the one to make it.
        again: Whether somebody before has died while making it, so that the task may be there all the same.
    """

    task_id: int | None
    mine: bool = False
    again: bool = False


class ContactStore:
    """Keeps contacts and their tasks; threads and processes may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read or written.

    Args:
        engine: The open database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def task_of(self, project_id: int, contact_id: str) -> int | None:
        """Return a contact's task; ``None`` where it has none."""
        with reading(self._engine) as connection:
            return connection.scalar(select(ContactRow.task_id).where(*_same(project_id, contact_id)))

    def as_text(self, project_id: int, contact_id: str) -> bool:
        """Tell whether the application has sent a contact's name as a text; not so for one that it never sent."""
        with reading(self._engine) as connection:
            return bool(connection.scalar(select(ContactRow.as_text).where(*_same(project_id, contact_id))))

    def contacts_of(self, project_id: int, task_ids: Iterable[int]) -> dict[int, ContactId]:
        """Return the contacts that tasks were made for, by task; tasks that nobody sent are missing."""
        wanted = list(task_ids)
        found: dict[int, ContactId] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(wanted), _CHUNK):
                chosen = select(ContactRow.task_id, ContactRow.contact_id, ContactRow.as_text).where(
                    ContactRow.project_id == project_id, ContactRow.task_id.in_(wanted[start : start + _CHUNK])
                )
                found |= {
                    row.task_id: as_sent(row.contact_id, as_text=row.as_text) for row in connection.execute(chosen)
                }
        return found

    def claim(self, project_id: int, contact_id: str, *, as_text: bool | None = None) -> Claim:
        """Ask to make a contact's task; of several that ask at the same time one may.

        The caller that may has :data:`CLAIM_SECONDS` for it, and ends it with :meth:`settle` or :meth:`release`.

        Args:
            project_id: The project.
            contact_id: The contact.
            as_text: Whether its name was sent as a text; ``None`` where nobody said, which changes nothing.
        """
        same = _same(project_id, contact_id)
        with writing(self._engine) as connection:
            lock_for_writing(connection, project_id)
            now = store_time(connection)
            row = connection.execute(select(ContactRow.task_id, ContactRow.claimed_at).where(*same)).one_or_none()
            if row is None:
                values = {
                    "project_id": project_id,
                    "contact_id": contact_id,
                    "claimed_at": now,
                    "as_text": bool(as_text),
                }
                connection.execute(insert(ContactRow).values(values))
                return Claim(None, mine=True)
            if as_text is not None:
                connection.execute(update(ContactRow).where(*same).values(as_text=as_text))
            if row.task_id is not None:
                return Claim(row.task_id)
            if now - row.claimed_at < timedelta(seconds=CLAIM_SECONDS):
                return Claim(None)
            connection.execute(update(ContactRow).where(*same).values(claimed_at=now))
            return Claim(None, mine=True, again=True)

    def renew(self, project_id: int, contact_id: str) -> None:
        """Have a claim last another :data:`CLAIM_SECONDS` from now on."""
        with writing(self._engine) as connection:
            claimed = {"claimed_at": store_time(connection)}
            connection.execute(update(ContactRow).where(*_same(project_id, contact_id)).values(claimed))

    def settle(self, project_id: int, contact_id: str, task_id: int) -> None:
        """Note the task that was made."""
        with writing(self._engine) as connection:
            connection.execute(update(ContactRow).where(*_same(project_id, contact_id)).values(task_id=task_id))

    def release(self, project_id: int, contact_id: str, task_id: int | None = None) -> None:
        """Forget a contact whose task could not be made, or whose task ``task_id`` is gone."""
        gone = ContactRow.task_id.is_(None) if task_id is None else ContactRow.task_id == task_id
        with writing(self._engine) as connection:
            connection.execute(delete(ContactRow).where(*_same(project_id, contact_id), gone))


def _same(project_id: int, contact_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ContactRow.project_id == project_id, ContactRow.contact_id == contact_id
